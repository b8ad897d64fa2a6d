import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FarmProcessNews } from '../client/node/farm-process.ts';
import { PyodideFiles } from '../server/pyodide.ts';
import { startServer } from '../server/server.ts';
import { startWorker } from '../worker/node/join.ts';
import { findPython } from '../worker/node/python/python-runner.ts';

/**
 * A server and a worker for one program, in a process beside it: `connect` starts it where there is no server. It ends,
 * and its data goes, when the program lets go of the channel, be it by `close` or by its death. Its argument: the slots.
 */
const slots = Number(process.argv[2]);

const gone = new Promise<void>((resolve) => process.once('disconnect', resolve));
const home = await mkdtemp(join(tmpdir(), 'manyhands-farm-'));
process.once('exit', () => rmSync(home, { recursive: true, force: true, maxRetries: 3 }));
// The worker's files too: if this process is killed, the program removes one directory.
for (const name of ['TMPDIR', 'TMP', 'TEMP']) process.env[name] = home;
// The program decides: it lets go when it ends, and may want to read results after the first Ctrl-C.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
process.once('SIGTERM', () => process.disconnect?.());

function tell(news: FarmProcessNews): void {
  process.send?.(news);
}

try {
  const onBroken = (): never => process.exit(1);
  const server = await startServer({ dataDir: join(home, 'data'), port: 0, logLevel: 'error', onBroken });
  const worker = startWorker({ url: server.joinUrl, allow: ['python', 'install'], ...(slots > 0 && { slots }) });
  if (!(await worker.joined)) throw new Error((await worker.ended).reason);
  const runsPython = findPython() !== undefined || PyodideFiles.find() !== undefined;
  tell({ kind: 'ready', url: server.url, token: server.adminToken, home, runsPython });
  await gone;
  await worker.stop('the program that it worked for has ended');
  await server.close();
  process.exit(0);
} catch (error) {
  if (process.connected) tell({ kind: 'failed', reason: (error as Error).message });
  process.exitCode = 1;
  if (process.connected) process.disconnect?.();
}
