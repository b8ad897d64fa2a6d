import { defaultSlots } from '../worker/node/capacity.ts';
import { startWorker, type WorkerOptions } from '../worker/node/join.ts';
import { CommandError, ExitCode } from './errors.ts';

export interface LocalWorker {
  readonly slots: number;
  /** Rejects if it could not join. */
  readonly joined: Promise<void>;
  stop(): Promise<void>;
}

/** A worker in this process for a server in this process; its tasks run in processes of their own all the same. */
export function startLocalWorker(
  server: { readonly url: string; readonly joinUrl: string },
  slots: number = defaultSlots(),
  more: Pick<WorkerOptions, 'allow'> = {},
): LocalWorker {
  const token = decodeURIComponent(new URL(server.joinUrl).hash.slice(1));
  const worker = startWorker({ url: server.url, token, slots, ...more });
  return {
    slots,
    joined: worker.joined.then(async (joined) => {
      if (joined) return;
      throw new CommandError(`the local worker could not join: ${(await worker.ended).reason}`, ExitCode.failed);
    }),
    stop: async () => {
      await worker.stop('the server ends');
    },
  };
}
