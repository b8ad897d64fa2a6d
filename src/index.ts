import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectOptions, connectWith, type StartEmbedded } from './client/connect.ts';
import type { Farm } from './client/farm.ts';
import { startServer } from './server/server.ts';
import { startWorker } from './worker/node/join.ts';

export { FarmError } from './client/farm-error.ts';
export { range } from './client/range.ts';
export { TaskError } from './client/task-error.ts';
export type { ConnectOptions, Farm };

/**
 * Connects to the server that `url` or MANYHANDS_URL names, else to the one on this machine, else to one that is started
 * inside this program, with a worker, for as long as the farm is open.
 */
export function connect(options: ConnectOptions = {}): Promise<Farm> {
  return connectWith(options, startEmbedded);
}

/** A server and a worker for this program alone; its data goes when it closes. */
const startEmbedded: StartEmbedded = async ({ slots }) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'manyhands-farm-'));
  const server = await startServer({ dataDir, port: 0 });
  const worker = startWorker({ url: server.joinUrl, ...(slots === undefined ? {} : { slots }) });
  await worker.joined;
  return {
    url: server.url,
    token: server.adminToken,
    dashboardUrl: server.dashboardUrl,
    async close() {
      void worker.stop();
      await worker.ended;
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
};
