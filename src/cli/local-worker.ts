import { defaultSlots } from '../worker/node/capacity.ts';
import { startWorker } from '../worker/node/join.ts';
import { CommandError, ExitCode } from './errors.ts';

export interface LocalWorker {
  readonly slots: number;
  stop(): Promise<void>;
}

/** A worker in this process for a server in this process; its tasks run in processes of their own all the same. */
export async function startLocalWorker(
  server: { readonly url: string; readonly joinUrl: string },
  slots: number = defaultSlots(),
): Promise<LocalWorker> {
  const token = decodeURIComponent(new URL(server.joinUrl).hash.slice(1));
  const worker = startWorker({ url: server.url, token, slots });
  if (!(await worker.joined)) {
    throw new CommandError(`the local worker could not join: ${(await worker.ended).reason}`, ExitCode.failed);
  }
  return {
    slots,
    stop: async () => {
      await worker.stop('the server ends');
    },
  };
}
