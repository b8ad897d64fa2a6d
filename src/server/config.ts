import { homedir, networkInterfaces } from 'node:os';
import path from 'node:path';

/** How a server is started; everything has a default. */
export interface ServerOptions {
  /** Where everything durable lies; default: `$XDG_STATE_HOME/manyhands`. */
  readonly dataDir?: string;
  /** A PostgreSQL that keeps the jobs, such as `postgres://user@host/farm`, also those of other servers; default: none. */
  readonly database?: string;
  /**
   * A bucket that keeps the bytes of blobs, such as `s3://bucket/prefix?endpoint=https://s3.example`, where there is a PostgreSQL; keys
   * come from the environment, as Amazon's own tools take them. Default: PostgreSQL keeps them.
   */
  readonly blobs?: string;
  /** 0: any free one. */
  readonly port?: number;
  /** Default: loopback only. */
  readonly host?: string;
  /** Listen on all addresses. That is the consent to plain HTTP. */
  readonly lan?: boolean;
  /** The address that people and workers are told, where it is not the one listened on. */
  readonly publicUrl?: string;
  /** Origins, such as `https://school.example`, whose pages may lend their visitors' devices; default: none. */
  readonly allowOrigins?: readonly string[];
  /** Milliseconds after which ended jobs are forgotten; default: never. */
  readonly keep?: number;
  /** Whether workers without Python are given the Pyodide that is installed beside the server, if there is one; default: yes. */
  readonly pyodide?: boolean;
  /** Where the boot images lie that are handed out; default: those built beside this program. */
  readonly bootImages?: string;
  /** Boot machines of private networks without asking who they are; default: no. */
  readonly netboot?: boolean;
  /** pino's levels; `silent`: nothing. */
  readonly logLevel?: string;
  /** The data cannot be trusted any more: the process should end. */
  readonly onBroken?: (error: Error) => void;
}

export interface ServerConfig {
  readonly dataDir: string;
  readonly database: string | undefined;
  readonly blobs: string | undefined;
  readonly port: number;
  readonly host: string;
  /** Reachable from other machines. */
  readonly open: boolean;
  readonly publicUrl: URL | undefined;
  readonly lenders: readonly string[];
  readonly keep: number | undefined;
  readonly pyodide: boolean;
  readonly bootImages: string | undefined;
  readonly netboot: boolean;
}

const PORT = 7070;

/** Something about the start that its user can put right; one sentence. */
export class StartError extends Error {
  readonly code: 'options' | 'portInUse' | 'address' | 'locked' | 'newer' | 'refused' | 'bucket';

  constructor(code: StartError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
    this.code = code;
  }
}

export function configOf(options: ServerOptions): ServerConfig {
  const host = options.host ?? (options.lan === true ? '0.0.0.0' : '127.0.0.1');
  const port = options.port ?? PORT;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new StartError('options', `${port} is not a port: use a number from 0 to 65535`);
  }
  return {
    dataDir: path.resolve(options.dataDir ?? defaultDataDir()),
    database: options.database,
    blobs: options.blobs,
    port,
    host,
    open: !isLoopback(host),
    publicUrl: options.publicUrl === undefined ? undefined : siteUrl(options.publicUrl, 'the public URL'),
    lenders: (options.allowOrigins ?? []).map((origin) => siteUrl(origin, 'an allowed origin').origin),
    keep: options.keep,
    pyodide: options.pyodide ?? true,
    bootImages: options.bootImages === undefined ? undefined : path.resolve(options.bootImages),
    netboot: options.netboot ?? false,
  };
}

function defaultDataDir(): string {
  const state = process.env.XDG_STATE_HOME;
  return path.join(state?.startsWith('/') ? state : path.join(homedir(), '.local', 'state'), 'manyhands');
}

function siteUrl(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '') return url;
  throw new StartError('options', `${what} looks like https://farm.example, not ${JSON.stringify(text)}`);
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** The machine's own addresses. A literal address in a Host header cannot be a name that was pointed here. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((each) =>
    (each ?? []).map(({ address }) => address.replace(/%.*/, '')),
  );
}
