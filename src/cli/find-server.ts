import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { Api, type ServerAddress } from './api.ts';
import { NoServerError, UsageError } from './errors.ts';

/** The options by which a command is told which server it is meant for. */
export interface ServerOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly data?: string;
}

export function withServer(command: Command): Command {
  return command
    .option('--url <url>', 'the server, or a join link (default: MANYHANDS_URL, else the one on this machine)')
    .option('--token-file <file>', 'its first line is the token (default: MANYHANDS_TOKEN)')
    .option('--data <dir>', 'data directory of the server on this machine');
}

export function defaultDataDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const state = env.XDG_STATE_HOME;
  // The specification of these directories says that a relative one is to be ignored.
  return join(
    state?.startsWith('/') || /^[a-z]:/i.test(state ?? '') ? (state as string) : join(homedir(), '.local', 'state'),
    'manyhands',
  );
}

/** The server that was named, or else the one that runs on this machine; undefined: there is none. */
export function findServer(options: ServerOptions, env: NodeJS.ProcessEnv = process.env): ServerAddress | undefined {
  const given = options.url ?? (env.MANYHANDS_URL || undefined);
  if (given === undefined || options.data !== undefined) return findLocal(options);
  const foundBy = options.url === undefined ? 'MANYHANDS_URL' : '--url';
  const { url, token } = parseAddress(given, foundBy);
  return { url, foundBy, token: token ?? tokenOf(options, env) ?? localTokenFor(url, options) };
}

export function mustFindServer(options: ServerOptions): ServerAddress {
  const found = findServer(options);
  if (found !== undefined) return found;
  throw new NoServerError('no server runs on this machine: start one with "manyhands serve", or name one with --url');
}

export function apiOf(options: ServerOptions): Api {
  return new Api(mustFindServer(options));
}

/** `http://HOST:PORT`, `HOST:PORT`, or a join link with its token. */
export function parseAddress(text: string, option: string): { url: URL; token: string | undefined } {
  let url: URL | undefined;
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  } catch {
    // Told below, with everything else that is no address.
  }
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new UsageError(
      `${option}: "${text.replace(/#.*/, '')}" is not the address of a server: write it as http://HOST:7070`,
    );
  }
  const token = url.hash.length > 1 ? decodeURIComponent(url.hash.slice(1)) : undefined;
  return { url: new URL('/', url.origin), token };
}

export function tokenOf(options: ServerOptions, env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (options.tokenFile === undefined) return env.MANYHANDS_TOKEN || undefined;
  let text: string;
  try {
    text = readFileSync(options.tokenFile, 'utf8');
  } catch (error) {
    throw new UsageError(`--token-file: can't read ${options.tokenFile}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const token = text.split('\n', 1)[0]?.trim();
  if (!token) throw new UsageError(`--token-file: the first line of ${options.tokenFile} is empty`);
  return token;
}

interface RunningServer {
  readonly url: string;
  readonly pid: number;
}

/** What a running server wrote into its data directory; undefined: none runs there, or it died without a word. */
export function runningServer(directory: string): RunningServer | undefined {
  try {
    const { url, pid } = JSON.parse(readFileSync(join(directory, 'server.json'), 'utf8')) as RunningServer;
    if (typeof url !== 'string' || typeof pid !== 'number') return undefined;
    return isAlive(pid) ? { url, pid } : undefined;
  } catch {
    return undefined;
  }
}

function findLocal(options: ServerOptions): ServerAddress | undefined {
  const directory = options.data ?? defaultDataDirectory();
  const running = runningServer(directory);
  if (running === undefined) return undefined;
  const token = tokenOf(options) ?? adminToken(directory);
  return { url: new URL(running.url), token, foundBy: directory };
}

/** An address that was given without a token may still be that of the server on this machine. */
function localTokenFor(url: URL, options: ServerOptions): string | undefined {
  const directory = options.data ?? defaultDataDirectory();
  const running = runningServer(directory);
  return running !== undefined && new URL(running.url).origin === url.origin ? adminToken(directory) : undefined;
}

function adminToken(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, 'admin.token'), 'utf8').split('\n', 1)[0]?.trim();
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
