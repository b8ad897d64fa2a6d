import type { Command } from 'commander';
import {
  dataDirectory,
  type FoundServer,
  findServer as findNamed,
  noServerIn,
  readToken,
} from '../client/node/find-server.ts';
import { Api, type ServerAddress } from './api.ts';
import { NoServerError } from './errors.ts';

/** The options by which a command is told which server it is meant for. */
export interface ServerOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly data?: string;
}

const FOUND_BY: Readonly<Record<FoundServer['source'], string>> = {
  given: '--url',
  environment: 'MANYHANDS_URL',
  local: 'its data directory',
};

export function withServer(command: Command): Command {
  return command
    .option(
      '--url <url>',
      'the server, or its dashboard link; several of one farm with commas between (default: MANYHANDS_URL, else the one on this machine)',
    )
    .option('--token-file <file>', 'its first line is the token (default: MANYHANDS_TOKEN)')
    .option('--data <dir>', 'data directory of the server on this machine');
}

/** The server that was named, or else the one that runs on this machine; undefined: there is none. */
export async function findServer({ url, tokenFile, data }: ServerOptions): Promise<ServerAddress | undefined> {
  const found = await findNamed({ url, tokenFile, data });
  return found && { ...found, foundBy: FOUND_BY[found.source] };
}

export async function mustFindServer(options: ServerOptions): Promise<ServerAddress> {
  const found = await findServer(options);
  if (found !== undefined) return found;
  const none =
    options.data === undefined
      ? 'no server runs on this machine: start one with "manyhands serve"'
      : noServerIn(options.data);
  throw new NoServerError(`${none}, or name one with --url`);
}

export async function apiOf(options: ServerOptions): Promise<Api> {
  return new Api(await mustFindServer(options));
}

export function dataDirectoryOf(options: ServerOptions): string {
  return dataDirectory(options);
}

/** The token that was given beside a link: out of a file, or of the environment. */
export function givenToken(tokenFile: string | undefined): string | undefined {
  if (tokenFile === undefined) return process.env.MANYHANDS_TOKEN || undefined;
  return readToken(tokenFile, 'the token file');
}
