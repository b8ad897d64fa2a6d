import { readFile } from 'node:fs/promises';
import { Command, type CommanderError } from 'commander';
import { addBackup } from './commands/backup.ts';
import { addConformance } from './commands/conformance.ts';
import { addDoctor } from './commands/doctor.ts';
import { addFarm } from './commands/farm.ts';
import { addJobs } from './commands/jobs.ts';
import { addJoin } from './commands/join.ts';
import { addLater } from './commands/later.ts';
import { addResults } from './commands/results.ts';
import { addRun } from './commands/run.ts';
import { addServe } from './commands/serve.ts';
import { addTrace } from './commands/trace.ts';
import { ExitCode, UsageError } from './errors.ts';

/** What a command leaves behind: its exit code. */
export type Finish = (exitCode: number) => void;

/** All commands. `finish` is told the exit code by those that have one of their own. */
export function buildProgram(version: string, finish: Finish): Command {
  const program = new Command('manyhands')
    .description('Many hands make light work: one server knows all the tasks and spreads them over whatever joins it.')
    .version(version, '-v, --version', 'print the version')
    .showSuggestionAfterError()
    .configureHelp({ sortOptions: false, showGlobalOptions: false })
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText(
      'after',
      '\nExit codes: 0 all done, 1 some task failed, 2 wrong usage or bad input,\n3 no server or not allowed, 130 interrupted.',
    );
  for (const add of [
    addServe,
    addJoin,
    addRun,
    addJobs,
    addResults,
    addTrace,
    addFarm,
    addBackup,
    addDoctor,
    addConformance,
    addLater,
  ])
    add(program, finish);
  addHelp(program);
  return program;
}

/** That of the parser answers an unknown name with the list of all commands and no word. */
function addHelp(program: Command): void {
  program
    .helpCommand(false)
    .command('help [command...]')
    .description('display help for command')
    .action((names: string[]) => {
      let command = program;
      for (const name of names) {
        const found = command.commands.find((each) => each.name() === name);
        if (found === undefined) throw new UsageError(`unknown command '${names.join(' ')}' (see --help)`);
        command = found;
      }
      command.outputHelp();
    });
}

export async function readVersion(): Promise<string> {
  // package.json lies two folders up in the repository (src/cli) as well as in the published package (dist/cli).
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Help and version are printed already; every other complaint of the parser is a sentence about the command line. */
export function parserEnd(error: CommanderError): number | UsageError {
  if (error.exitCode === 0) return ExitCode.done;
  if (error.code === 'commander.help') return ExitCode.usage;
  const sentence = error.message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*)\?\)/, '; did you mean $1?')
    .trim();
  return new UsageError(`${sentence}${sentence.endsWith('?') ? '' : ' (see --help)'}`);
}
