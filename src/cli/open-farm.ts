import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Farm } from '../client/farm.ts';
import { nodeSurroundings } from '../client/node/surroundings.ts';
import { Wire } from '../client/wire.ts';
import { NoServerError } from './errors.ts';
import { findServer, type ServerOptions } from './find-server.ts';

export interface OpenOptions extends ServerOptions {
  /** Slots of a server of our own; given: one is started whatever else runs here. */
  readonly local?: number | undefined;
  /** A server that ends with this command is of no use. */
  readonly mustStay?: boolean | undefined;
  readonly say: (text: string) => void;
}

/** The farm that the command is meant for: the one that was named, the one on this machine, or one for this command alone. */
export async function openFarm(options: OpenOptions): Promise<Farm> {
  const found = options.local === undefined ? await findServer(options) : undefined;
  if (found !== undefined) return connectTo(found.url, found.token);
  if (options.mustStay) {
    throw new NoServerError(
      'no server runs on this machine, and one for this command alone would end with it: start one with "manyhands serve"',
    );
  }
  return startOwn(options);
}

export async function connectTo(url: URL, token: string | undefined, own?: { close(): Promise<void> }): Promise<Farm> {
  const around = nodeSurroundings(url, token);
  const wire = new Wire(around);
  await wire.start();
  return new Farm(wire, around, url.href, own);
}

/** A server and a worker in this process, whose data lasts as long as the command. */
async function startOwn({ local, say }: OpenOptions): Promise<Farm> {
  const { startServer } = await import('../server/server.ts');
  const { startLocalWorker } = await import('./local-worker.ts');
  const dataDir = mkdtempSync(join(tmpdir(), 'manyhands-run-'));
  const remove = (): void => rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', remove);
  const server = await startServer({ dataDir, port: 0, logLevel: 'error' });
  const worker = await startLocalWorker(server, local);
  const slots = `${worker.slots} ${worker.slots === 1 ? 'slot' : 'slots'}`;
  const why = local === undefined ? 'no server found, so one runs' : 'a server runs';
  say(`manyhands: ${why} for this command alone, with ${slots} on this machine\n`);
  const close = async (): Promise<void> => {
    await worker.stop();
    await server.close();
    process.off('exit', remove);
    remove();
  };
  return connectTo(new URL(server.url), server.adminToken, { close });
}
