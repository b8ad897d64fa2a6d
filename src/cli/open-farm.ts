import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Farm } from '../client/farm.ts';
import { sayWhere } from '../client/node/find-server.ts';
import { Api, type ServerAddress } from './api.ts';
import { NoServerError } from './errors.ts';
import { findServer, mustFindServer, type ServerOptions } from './find-server.ts';

export interface OpenOptions extends ServerOptions {
  /** Slots of a server of our own; given: one is started whatever else runs here. */
  readonly local?: number | undefined;
  /** A server that ends with this command is of no use. */
  readonly mustStay?: boolean | undefined;
  /** Workers of a server of our own run commands, here. */
  readonly commands?: boolean | undefined;
  readonly say: (text: string) => void;
}

/** A farm, and its HTTP API for what the SDK has no words for. */
export interface OpenFarm {
  readonly farm: Farm;
  readonly api: Api;
}

export interface SoughtFarm {
  readonly open: () => Promise<OpenFarm>;
  /** Of a server that is there already. */
  readonly api: Api | undefined;
}

/**
 * Looks for the farm that the command is meant for: the one that was named, the one on this machine, or one for this
 * command alone. Nothing has been started by then.
 */
export async function seekFarm(options: OpenOptions): Promise<SoughtFarm> {
  const { local, data, mustStay } = options;
  // A data directory that was named is never silently replaced by a server of our own.
  const found =
    local !== undefined ? undefined : data === undefined ? await findServer(options) : await mustFindServer(options);
  if (found !== undefined) {
    const api = new Api(found);
    return { open: async () => ({ farm: await connectTo(found), api }), api };
  }
  if (mustStay) {
    throw new NoServerError(
      'no server runs on this machine, and one for this command alone would end with it: start one with "manyhands serve"',
    );
  }
  const { startServer } = await import('../server/server.ts');
  return { open: () => startOwn(startServer, options), api: undefined };
}

export async function connectTo(
  { servers, source }: Pick<ServerAddress, 'servers' | 'source'>,
  own?: { close(): Promise<void> },
): Promise<Farm> {
  const [{ Farm }, { Wire }, { nodeSurroundings }] = await Promise.all([
    import('../client/farm.ts'),
    import('../client/wire.ts'),
    import('../client/node/surroundings.ts'),
  ]);
  const around = nodeSurroundings(servers);
  const wire = new Wire(around);
  await wire.start().catch((error: unknown) => {
    throw sayWhere(error, source);
  });
  return new Farm(wire, around, own);
}

type StartServer = typeof import('../server/server.ts').startServer;

/** A server and a worker in this process, whose data lasts as long as the command. */
async function startOwn(startServer: StartServer, { local, commands, say }: OpenOptions): Promise<OpenFarm> {
  const dataDir = mkdtempSync(join(tmpdir(), 'manyhands-run-'));
  const remove = (): void => rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', remove);
  // While the server opens its data in a thread of its own there is time to load the rest.
  const starting = startServer({ dataDir, port: 0, logLevel: 'error' });
  const [{ startLocalWorker }] = await Promise.all([import('./local-worker.ts'), import('../client/wire.ts')]);
  const server = await starting;
  // Only for the one who started this, and could run the same without us.
  const worker = startLocalWorker(
    server,
    local,
    commands ? { allow: ['exec'], directory: process.cwd() } : { allow: ['python', 'install'] },
  );
  const slots = `${worker.slots} ${worker.slots === 1 ? 'slot' : 'slots'}`;
  const why = local === undefined ? 'no server found, so one runs' : 'a server runs';
  const close = async (): Promise<void> => {
    await Promise.all([worker.stop(), server.close()]);
    process.off('exit', remove);
    remove();
  };
  const servers = [{ url: new URL(server.url), token: server.adminToken }];
  const address = { servers, foundBy: 'this command' };
  const [farm] = await Promise.all([connectTo(address, { close }), worker.joined]);
  say(`manyhands: ${why} for this command alone, with ${slots} on this machine\n`);
  return { farm, api: new Api(address) };
}
