import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { connectWith } from '../../src/client/connect.ts';
import type { Farm } from '../../src/client/farm.ts';
import type { ServerOptions } from '../../src/server/config.ts';
import { type RunningServer, startServer } from '../../src/server/server.ts';
import { startWorker, type Worker, type WorkerOptions } from '../../src/worker/node/join.ts';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { temporaryDirectory } from './directories.ts';

/** A real server with a real worker, and a program's farm that is connected to it. Gone when the test ends. */
export async function clientFarm(
  t: Cleanup,
  options: Partial<WorkerOptions> = {},
  more: Pick<ServerOptions, 'pyodide'> = {},
): Promise<{ server: RunningServer; worker: Worker; farm: Farm; connectAgain(): Promise<Farm> }> {
  const server = await startServer({ dataDir: temporaryDirectory(t, 'sdk'), port: 0, logLevel: 'silent', ...more });
  cleanUp(t, () => server.close());
  const worker = startWorker({ url: server.joinUrl, slots: 1, name: 'test', ...options });
  cleanUp(t, () => worker.stop());
  await worker.joined;
  const connectAgain = async (): Promise<Farm> => {
    const farm = await connectWith({ url: server.url, token: server.adminToken }, undefined);
    cleanUp(t, () => farm.close().catch(() => {}));
    return farm;
  };
  return { server, worker, farm: await connectAgain(), connectAgain };
}

/** Real files in a directory of their own; gives the address of one. */
export function moduleFiles(t: Cleanup, files: Record<string, string>): (name: string) => URL {
  const folder = temporaryDirectory(t, 'modules');
  for (const [name, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return (name) => pathToFileURL(path.join(folder, name));
}
