import { type Embedded, Farm } from './farm.ts';
import { FarmError } from './farm-error.ts';
import { findServer, noServerIn, type ServerAt, type ServerQuery, sayWhere } from './node/find-server.ts';
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
  readonly slots?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}) => Promise<OwnFarm>;

interface OwnFarm extends Embedded {
  readonly url: string;
  readonly token: string;
  readonly runsPython: boolean;
  /** Resolves when it has ended, whoever wanted that. */
  readonly ended: Promise<string>;
}

/**
 * Connects to the server that `url` or MANYHANDS_URL names (of several, to the first that can be had), else to the one on this machine, else to one that is started
 * for this program. Rejects with a FarmError of one sentence if the server can't be reached or does not take the token.
 */
export async function connectWith(options: ConnectOptions, startEmbedded: StartEmbedded | undefined): Promise<Farm> {
  const { signal, slots } = options;
  signal?.throwIfAborted();
  const found = await findServer(options);
  if (found !== undefined) {
    return open(found.servers, signal).catch((error: unknown) => {
      throw sayWhere(error, found.source);
    });
  }
  // What was named is never silently replaced by a farm of its own.
  if (options.data !== undefined) throw new FarmError('unreachable', noServerIn(options.data));
  if (startEmbedded === undefined) {
    throw new FarmError('unreachable', 'there is no server: start one with "manyhands serve", or give its url');
  }
  const embedded = await startEmbedded({ slots, signal });
  try {
    return await open([{ url: new URL(embedded.url), token: embedded.token }], signal, embedded);
  } catch (error) {
    await embedded.close();
    throw error;
  }
}

async function open(servers: readonly ServerAt[], signal: AbortSignal | undefined, embedded?: OwnFarm): Promise<Farm> {
  const lacksPython = embedded?.runsPython === false;
  const around = { ...nodeSurroundings(servers), lacksPython };
  const wire = new Wire(around);
  const farm = new Farm(wire, around, embedded);
  const abort = (): void => {
    wire.stop('the program gave it up');
    farm.close().catch(() => {});
  };
  signal?.addEventListener('abort', abort, { once: true });
  // A program that forgot to close its farm has nothing left to do: what its runs shared is closed then.
  const close = (): void => void farm.close().catch(() => {});
  process.once('beforeExit', close);
  void wire.whenEnded.then(() => {
    signal?.removeEventListener('abort', abort);
    process.off('beforeExit', close);
  });
  try {
    await wire.start();
  } catch (error) {
    around.blobs.close();
    signal?.throwIfAborted();
    throw error;
  }
  void embedded?.ended.then((reason) => wire.stop(`the embedded farm is gone: ${reason}`));
  return farm;
}
