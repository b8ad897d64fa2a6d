import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { wholeNumber } from '../arguments/numbers.ts';
import { ExitCode, UsageError } from '../errors.ts';
import { print, printJson } from '../output/print.ts';
import type { Finish } from '../program.ts';

interface ConformanceOptions {
  host: string;
  port: number;
  runner?: string;
  code?: string;
  json?: true;
}

/** Milliseconds for a few short tasks: workers start slowly, in languages that compile. */
const WORK_TIME = 20_000;

export function addConformance(program: Command, finish: Finish): void {
  program
    .command('conformance')
    .description('play the server to a worker that you wrote, and say which rules of the protocol it keeps')
    .option('--host <address>', 'where to listen', '127.0.0.1')
    .option('--port <port>', 'the port, 0 for a free one', wholeNumber('--port', 0, 65_535), 0)
    .option('--runner <name>', 'the runner to examine (default: js, python or exec, whichever it offers)')
    .option(
      '--code <file>',
      'a task for it: doubles a number, gives back anything else, fails at 13, takes half a second for 14',
    )
    .option('--json', 'print a line of JSON for each rule')
    .addHelpText(
      'after',
      '\nIt prints a link; start the worker with it: it may open a WebSocket, or poll. Exit code: 0 all rules are kept, 1 some are not.',
    )
    .action(async (options: ConformanceOptions) => finish(await examine(options)));
}

async function examine({ host, port, runner, code, json }: ConformanceOptions): Promise<number> {
  const text = code === undefined ? undefined : await readCode(code);
  const [{ Door }, { Examination }] = await Promise.all([
    import('../../server/conformance/door.ts'),
    import('../../server/conformance/examination.ts'),
  ]);
  const door = await Door.open(host, port);
  const shown = host.includes(':') ? `[${host}]` : host;
  const link = `http://${shown}:${door.port}/join#${door.token}`;
  if (json) printJson({ joinUrl: link });
  else print(`start your worker with ${link}\n`);
  let [kept, broken] = [0, 0];
  for await (const verdict of new Examination(door, { runner, code: text, workTime: WORK_TIME }).run()) {
    const { rule, what, detail, skipped } = verdict;
    if (!verdict.kept) broken += 1;
    else if (!skipped) kept += 1;
    if (json) printJson(verdict);
    else
      print(
        `${skipped ? 'no    ' : verdict.kept ? 'kept  ' : 'BROKEN'} ${rule.padEnd(4)} ${what}${detail === undefined ? '' : `: ${detail}`}\n`,
      );
  }
  door.close();
  if (!json) print(`${kept} kept, ${broken} broken: src/protocol/PROTOCOL.md has the rules\n`);
  return broken === 0 ? ExitCode.done : ExitCode.failed;
}

async function readCode(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`the code ${file} can't be read: ${(error as Error).message}`, { cause: error });
  }
}
