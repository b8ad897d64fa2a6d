import { type Embedded, Farm } from './farm.ts';
import { FarmError } from './farm-error.ts';
import { findServer, type ServerQuery } from './node/find-server.ts';
import { nodeSurroundings } from './node/surroundings.ts';
import { Wire } from './wire.ts';

export interface ConnectOptions extends Omit<ServerQuery, 'env'> {
  /** Gives the attempt up, or, later, closes the farm at once. */
  readonly signal?: AbortSignal;
  /** Slots of an embedded farm; by default the CPUs that may be used. */
  readonly slots?: number;
}

/** Starts a farm for this program alone. */
export type StartEmbedded = (options: {
  readonly slots?: number;
}) => Promise<Embedded & { url: string; token: string }>;

/**
 * Connects to the server that `url` or MANYHANDS_URL names, else to the one on this machine, else to one that is started
 * for this program. Rejects with a FarmError of one sentence if the server can't be reached or does not take the token.
 */
export async function connectWith(options: ConnectOptions, startEmbedded: StartEmbedded | undefined): Promise<Farm> {
  const { signal } = options;
  signal?.throwIfAborted();
  const found = await findServer(options);
  if (found !== undefined) return open(found.url, found.token, signal);
  if (startEmbedded === undefined) {
    throw new FarmError('unreachable', 'there is no server: start one with "manyhands serve", or give its url');
  }
  const embedded = await startEmbedded(options.slots === undefined ? {} : { slots: options.slots });
  try {
    return await open(new URL(embedded.url), embedded.token, signal, embedded);
  } catch (error) {
    await embedded.close();
    throw error;
  }
}

async function open(
  url: URL,
  token: string | undefined,
  signal: AbortSignal | undefined,
  embedded?: Embedded,
): Promise<Farm> {
  const around = nodeSurroundings(url, token);
  const wire = new Wire(around);
  const farm = new Farm(wire, around, url.origin, embedded);
  const abort = (): void => {
    wire.stop('the program gave it up');
    farm.close().catch(() => {});
  };
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await wire.start();
  } catch (error) {
    around.blobs.close();
    signal?.throwIfAborted();
    throw error;
  }
  closeAtExit(farm);
  return farm;
}

/** A program that forgot to close its farm has nothing left to do: what its runs shared is closed then. */
function closeAtExit(farm: Farm): void {
  process.once('beforeExit', () => void farm.close().catch(() => {}));
}
