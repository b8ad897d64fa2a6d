import { localUrl, type ServerAt } from '../../client/node/find-server.ts';
import { Api, type ServerAddress } from '../api.ts';
import type { Finding } from '../commands/doctor.ts';
import { explain } from '../errors.ts';
import { dataDirectoryOf, findServer, type ServerOptions } from '../find-server.ts';
import { examineData } from './data.ts';
import { examineDisk } from './disk.ts';
import { examineMachine, examinePort } from './machine.ts';

const DEFAULT_PORT = 7070;
/** Milliseconds by which two clocks may differ before logs become hard to read side by side. */
const CLOCK_TOLERANCE = 5_000;

/** Looks at one thing after the other; what can't be looked at is told as that. */
export async function* examine(options: ServerOptions & { port?: number }): AsyncGenerator<Finding> {
  yield* examineMachine();
  const directory = dataDirectoryOf(options);
  yield* examineDisk(directory);
  let server: ServerAddress | undefined;
  try {
    server = await findServer(options);
  } catch (error) {
    yield { what: 'server', state: 'wrong', words: explain(error).message };
    return;
  }
  if (server === undefined) {
    yield* examineData(directory);
    yield await examinePort(options.port ?? portOf(directory));
    const words =
      options.data === undefined
        ? 'none runs on this machine; start one with: manyhands serve'
        : `none runs with this data directory; start one with: manyhands serve --data ${options.data}`;
    yield { what: 'server', state: 'note', words };
    return;
  }
  for (const one of server.servers) yield* examineServer({ ...server, servers: [one] });
}

/** That of the last server there, as long as it is known. */
function portOf(directory: string): number {
  return Number(localUrl(directory)?.port) || DEFAULT_PORT;
}

async function* examineServer(server: ServerAddress): AsyncGenerator<Finding> {
  const [{ url }] = server.servers as [ServerAt];
  const api = new Api({ ...server, servers: [{ url, token: undefined }] });
  const started = performance.now();
  let date: string | undefined;
  try {
    const response = await api.open('GET', '/healthz');
    response.resume();
    date = response.headers.date;
  } catch (error) {
    yield { what: 'server', state: 'wrong', words: explain(error).message };
    return;
  }
  const elapsed = performance.now() - started;
  yield {
    what: 'server',
    state: 'ok',
    words: `answers at ${url.origin} in ${elapsed.toFixed(0)} ms (found by ${server.foundBy})`,
  };
  if (date !== undefined) yield clockFinding(Date.parse(date), Date.now());
  yield await tokenFinding(server);
}

export function clockFinding(there: number, here: number): Finding {
  const seconds = Math.round(Math.abs(there - here) / 1_000);
  if (Math.abs(there - here) <= CLOCK_TOLERANCE) {
    return { what: 'clock', state: 'ok', words: "agrees with the server's within a few seconds" };
  }
  const words = `is ${seconds} s ${here > there ? 'ahead of' : 'behind'} the server's: times in listings will look odd; let both follow a time server`;
  return { what: 'clock', state: 'note', words };
}

/** Which role a token has is told by what it may ask. */
async function tokenFinding(server: ServerAddress): Promise<Finding> {
  if (server.servers[0]?.token === undefined) {
    const words = 'there is none: use --token-file or MANYHANDS_TOKEN, or run this as the user who runs the server';
    return { what: 'token', state: 'wrong', words };
  }
  const api = new Api(server);
  const may = async (path: string): Promise<boolean | string> => {
    try {
      (await api.open('GET', path)).destroy();
      return true;
    } catch (error) {
      const { message, exitCode } = explain(error);
      return exitCode === 3 && /role/.test(message) ? false : message;
    }
  };
  const admin = await may('/v1/tokens');
  if (admin === true) return { what: 'token', state: 'ok', words: 'is good for everything (role admin)' };
  if (typeof admin === 'string') return { what: 'token', state: 'wrong', words: admin };
  const reader = await may('/v1/jobs');
  if (reader === true)
    return { what: 'token', state: 'ok', words: 'is good for jobs and results, not for managing tokens' };
  return {
    what: 'token',
    state: 'note',
    words: 'is good for joining as a worker, not for jobs: ask for one with the role submit',
  };
}
