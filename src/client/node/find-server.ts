import { readFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { FarmError } from '../farm-error.ts';

export interface ServerQuery {
  /**
   * As the user gave it; may be a dashboard link, whose fragment is the token. Several servers of one farm, separated by commas
   * or as a list, are tried in turn.
   */
  readonly url?: string | URL | readonly (string | URL)[] | undefined;
  readonly token?: string | undefined;
  /** A file whose first line is the token. */
  readonly tokenFile?: string | undefined;
  /** The data directory of a server on this machine. */
  readonly data?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A server, and what lets this program in there. */
export interface ServerAt {
  readonly url: URL;
  readonly token: string | undefined;
}

export interface FoundServer {
  /** Of one farm, at least one, in the order in which they are tried. */
  readonly servers: readonly ServerAt[];
  /** Who named it: a parameter, the environment, or the files of a server on this machine. */
  readonly source: 'given' | 'environment' | 'local';
}

/** Milliseconds that a server on this machine has to answer before it counts as gone. */
const PROBE_TIME = 2_000;

/**
 * The server that a program means: the one it names, else that of MANYHANDS_URL, else the one that runs on this machine.
 * Who names a data directory means the server there, whatever the environment says. Undefined: none runs. An address is
 * taken at its word; only local files may be left behind by a server that is gone.
 */
export async function findServer(query: ServerQuery = {}): Promise<FoundServer | undefined> {
  const env = query.env ?? process.env;
  const given = query.url ?? (query.data === undefined ? env.MANYHANDS_URL || undefined : undefined);
  if (given !== undefined) {
    const source = query.url === undefined ? 'environment' : 'given';
    const urls = parseUrls(given, source === 'environment' ? 'MANYHANDS_URL' : 'the url');
    const token = tokenOf(query, env);
    const inLink = urls.map(takeFragment).find((found) => found !== undefined);
    const servers = urls.map((url): ServerAt => {
      const own = token ?? takeFragment(url) ?? inLink ?? (isLoopback(url) ? localToken(query, env) : undefined);
      url.hash = '';
      return { url, token: own };
    });
    return { servers, source };
  }
  const directory = dataDirectory(query, env);
  const url = localUrl(directory);
  if (url === undefined || !(await answers(url))) return undefined;
  return { servers: [{ url, token: tokenOf(query, env) ?? localToken(query, env) }], source: 'local' };
}

/** Where a server on this machine keeps its data, unless told otherwise. */
export function dataDirectory(query: Pick<ServerQuery, 'data'>, env: ServerQuery['env'] = process.env): string {
  if (query.data !== undefined) return path.resolve(query.data);
  const state = env.XDG_STATE_HOME || path.join(env.HOME || os.homedir(), '.local', 'state');
  return path.join(state, 'manyhands');
}

/** An address out of the environment is easily forgotten: who can't reach it is told where it comes from. */
export function sayWhere(error: unknown, source: FoundServer['source'] | undefined): unknown {
  if (source !== 'environment' || !(error instanceof FarmError) || error.code !== 'unreachable') return error;
  return new FarmError('unreachable', `${error.message} (MANYHANDS_URL names it)`);
}

/** For a data directory that was named and has no server. */
export function noServerIn(directory: string): string {
  return `no server runs with the data directory ${directory}: start one with "manyhands serve --data ${directory}"`;
}

/** Each that is wrong is told, in a sentence of its own. */
function parseUrls(given: NonNullable<ServerQuery['url']>, what: string): URL[] {
  const list: readonly (string | URL)[] = typeof given === 'string' || given instanceof URL ? [given] : given;
  const all = list.flatMap((each): (string | URL)[] => (typeof each === 'string' ? each.split(',') : [each]));
  if (all.length === 0) throw new FarmError('invalid', `${what} is a list without an address: give at least one`);
  const [single] = all;
  if (all.length === 1 && single !== undefined) return [parseUrl(single, what)];
  const urls: URL[] = [];
  const wrong: string[] = [];
  all.forEach((each, at) => {
    const entry = `${what}, entry ${at + 1},`;
    try {
      if (String(each).trim() === '')
        throw new FarmError('invalid', `${entry} is empty: give addresses with one comma between`);
      urls.push(parseUrl(typeof each === 'string' ? each.trim() : each, entry));
    } catch (error) {
      wrong.push((error as Error).message);
    }
  });
  if (wrong.length > 0) throw new FarmError('invalid', wrong.join('; '));
  return urls;
}

function parseUrl(given: string | URL, what: string): URL {
  let url: URL;
  try {
    // Without a scheme people mean http.
    url = new URL(typeof given === 'string' && !/^[a-z]+:\/\//i.test(given) ? `http://${given}` : given);
  } catch {
    throw new FarmError(
      'invalid',
      `${what} is not an address: ${JSON.stringify(String(given))}; give one such as http://127.0.0.1:7070`,
    );
  }
  if (url.protocol === 'ws:' || url.protocol === 'wss:') url.protocol = url.protocol === 'ws:' ? 'http:' : 'https:';
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new FarmError('invalid', `${what} must begin with http:// or https://, not ${url.protocol}`);
  }
  // A join link is the same server.
  url.pathname = url.pathname.replace(/\/join\/?$/, '/');
  url.search = '';
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

function takeFragment(url: URL): string | undefined {
  return url.hash.length > 1 ? decodeURIComponent(url.hash.slice(1)) : undefined;
}

function tokenOf(query: ServerQuery, env: NonNullable<ServerQuery['env']>): string | undefined {
  if (query.token !== undefined) return query.token;
  if (query.tokenFile !== undefined) return readToken(query.tokenFile, 'the token file');
  if (env.MANYHANDS_TOKEN) return env.MANYHANDS_TOKEN;
  if (env.MANYHANDS_TOKEN_FILE) return readToken(env.MANYHANDS_TOKEN_FILE, 'MANYHANDS_TOKEN_FILE');
  return undefined;
}

/** The first line of a file; `what` names the file for people. */
export function readToken(file: string, what: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = UNREADABLE[code ?? ''] ?? message;
    throw new FarmError('invalid', `${what} ${file} can't be read: ${why}`);
  }
  const [line = ''] = text.split('\n');
  if (line.trim() === '') throw new FarmError('invalid', `${what} ${file} is empty; its first line must be the token`);
  return line.trim();
}

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user has no permission',
  EISDIR: 'it is a directory',
};

function localToken(query: ServerQuery, env: NonNullable<ServerQuery['env']>): string | undefined {
  try {
    return (
      readFileSync(path.join(dataDirectory(query, env), 'admin.token'), 'utf8')
        .split('\n')[0]
        ?.trim() || undefined
    );
  } catch {
    return undefined;
  }
}

/** Where the server of a data directory is, or was when it could not tidy up. */
export function localUrl(directory: string): URL | undefined {
  try {
    const { url } = JSON.parse(readFileSync(path.join(directory, 'server.json'), 'utf8')) as { url?: unknown };
    return typeof url === 'string' ? parseUrl(url, 'server.json') : undefined;
  } catch {
    return undefined;
  }
}

function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || url.hostname.startsWith('127.');
}

/** Whether a server is alive there. One that is killed leaves its file behind. */
function answers(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get(new URL('healthz', url), { timeout: PROBE_TIME, agent: false }, (response) => {
      response.resume();
      resolve(true);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
