import { type Command, Option } from 'commander';
import type { WorkerView } from '../../model/feed.ts';
import type { TokenRecord } from '../../model/records.ts';
import { parseDuration } from '../arguments/duration.ts';
import { apiOf, type ServerOptions, withServer } from '../find-server.ts';
import { findWorker } from '../find-worker.ts';
import { print, printJson } from '../output/print.ts';
import { formatCount, formatTime, table } from '../output/table.ts';

interface ListOptions extends ServerOptions {
  json?: true;
}

const ACTIONS = [
  ['drain', 'give a worker no more tasks; it finishes what it runs and stays'],
  ['undrain', 'give a drained worker tasks again'],
  ['stop', 'dismiss a worker; what it has not finished runs elsewhere'],
] as const;

/** Workers, and the tokens by which anybody may do anything. */
export function addFarm(program: Command): void {
  withServer(program.command('workers').description('list the workers'))
    .option('--json', 'one line of JSON a worker')
    .action(listWorkers);
  for (const [name, description] of ACTIONS) {
    withServer(program.command(`${name} <worker>`).description(description)).action(
      async (worker: string, options: ServerOptions) => {
        const api = await apiOf(options);
        await api.post(`v1/workers/${await findWorker(worker, api)}/${name}`);
      },
    );
  }
  const token = program.command('token').description('make, list and revoke tokens');
  withServer(token.command('create').description('make a token and print it; it is shown only once'))
    .addOption(
      new Option('--role <role>', 'what it is good for')
        .choices(['admin', 'submit', 'work', 'read', 'enrol'])
        .makeOptionMandatory(),
    )
    .option('--name <name>', 'what people call it')
    .option('--expires <duration>', 'how long it is good for', parseDuration)
    .option('--json', 'with what is known of it')
    .action(createToken);
  withServer(token.command('list').description('list the tokens, without their texts'))
    .option('--json', 'one line of JSON a token')
    .action(listTokens);
  withServer(token.command('revoke <id>').description('end a token; what it has opened is closed')).action(
    async (id: string, options: ServerOptions) => {
      const api = await apiOf(options);
      const { token: own } = await api.get<{ token: string }>('v1/me');
      await api.delete(`v1/tokens/${encodeURIComponent(id)}`);
      if (own === id) {
        process.stderr.write(
          'that was the token in use here; a server whose admin token was revoked makes a new one when it starts again\n',
        );
      }
    },
  );
}

async function listWorkers(options: ListOptions): Promise<void> {
  const { workers } = await (await apiOf(options)).get<{ workers: WorkerView[] }>('v1/workers');
  if (options.json) return printJson(...workers);
  const right = (title: string) => ({ title, align: 'right' as const });
  const titles = [
    { title: 'WORKER' },
    { title: 'STATE' },
    right('BUSY'),
    right('SLOTS'),
    right('DONE'),
    right('ATTEMPTS FAILED'),
  ];
  const rows = workers.map(({ id, state, unable, busy, slots, done, failed, name, platform }) => [
    ...[
      id,
      state === 'ready' && unable !== undefined ? `unable: ${unable}` : state,
      String(busy),
      String(slots),
      formatCount(done),
      formatCount(failed),
    ],
    platform === undefined ? name : `${name} (${platform})`,
  ]);
  print(table([...titles, { title: 'NAME' }], rows));
}

interface CreateOptions extends ListOptions {
  role: string;
  name?: string;
  expires?: number;
}

async function createToken({ role, name, expires, ...options }: CreateOptions): Promise<void> {
  const body = { role, ...(name !== undefined && { name }), ...(expires !== undefined && { expiresIn: expires }) };
  const made = await (await apiOf(options)).post<{ token: string }>('v1/tokens', body);
  if (options.json) printJson(made);
  else print(`${made.token}\n`);
}

async function listTokens(options: ListOptions): Promise<void> {
  const { tokens } = await (await apiOf(options)).get<{ tokens: Omit<TokenRecord, 'hash'>[] }>('v1/tokens');
  if (options.json) return printJson(...tokens);
  const titles = ['TOKEN', 'ROLE', 'MADE', 'ENDS', 'NAME'].map((title) => ({ title }));
  const rows = tokens.map(({ id, role, createdAt, expiresAt, revokedAt, name }) => {
    const ends = revokedAt === undefined ? (expiresAt === undefined ? 'never' : formatTime(expiresAt)) : 'revoked';
    return [id, role, formatTime(createdAt), ends, name];
  });
  print(table(titles, rows));
}
