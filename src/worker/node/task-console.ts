import { Console } from 'node:console';
import { Writable } from 'node:stream';
import type { TaskOutput } from '../tasks/task-output.ts';

/** Takes the place of `console`, `process.stdout` and `process.stderr`. */
export function installConsole(output: TaskOutput): void {
  const streams = { stdout: streamTo(output, 'stdout'), stderr: streamTo(output, 'stderr') };
  for (const [name, stream] of Object.entries(streams)) {
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => stream });
  }
  globalThis.console = new Console(streams) as Console & typeof globalThis.console;
}

function streamTo(output: TaskOutput, name: 'stdout' | 'stderr'): Writable {
  return new Writable({
    decodeStrings: true,
    write: (bytes: Buffer, _encoding, done) => {
      output.write(name, bytes.toString());
      done();
    },
  });
}
