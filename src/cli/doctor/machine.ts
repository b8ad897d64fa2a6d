import { createServer } from 'node:net';
import { formatSize } from '../../model/size.ts';
import { availableMemory, defaultSlots } from '../../worker/node/capacity.ts';
import type { Finding } from '../commands/doctor.ts';

const OLDEST: readonly [number, number] = [24, 15];

export function* examineMachine(): Generator<Finding> {
  yield nodeFinding(process.versions.node);
  const slots = defaultSlots();
  const memory = formatSize(availableMemory());
  yield {
    what: 'slots',
    state: 'ok',
    words: `${slots} (the CPUs that may be used here), ${memory} of memory for them`,
  };
}

export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    const words = `${version} is too old: install ${OLDEST.join('.')} or newer from https://nodejs.org`;
    return { what: 'Node', state: 'wrong', words };
  }
  return { what: 'Node', state: 'ok', words: version };
}

export function examinePort(port: number): Promise<Finding> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const words =
        error.code === 'EADDRINUSE'
          ? `${port} is in use by another program: use another with serve --port`
          : `${port} can't be opened (${error.code ?? error.message}): use another with serve --port`;
      resolve({ what: 'port', state: 'wrong', words });
    });
    probe.listen(port, '127.0.0.1', () => {
      probe.close(() => resolve({ what: 'port', state: 'ok', words: `${port} is free` }));
    });
  });
}
