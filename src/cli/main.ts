import { CommanderError } from 'commander';
import { ExitCode, errorLine, explain, systemWords } from './errors.ts';
import { countBuffersAsMemory } from './external-memory.ts';
import { OutputClosed } from './output/out.ts';
import { buildProgram, parserEnd, readVersion } from './program.ts';

/** Runs one command line (without `node` and the program's name) and returns the exit code. */
export async function main(argv: string[]): Promise<number> {
  endQuietlyWhenNobodyReads();
  countBuffersAsMemory();
  let exitCode: number = ExitCode.done;
  const program = buildProgram(await readVersion(), (code) => {
    exitCode = code;
  });
  try {
    // The other letter that people try for it; the parser knows one short name of an option.
    await program.parseAsync(argv[0] === '-V' ? ['--version'] : argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof OutputClosed) return ExitCode.done;
    const end = error instanceof CommanderError ? parserEnd(error) : error;
    if (typeof end === 'number') return end;
    process.stderr.write(errorLine(end));
    if (process.env.MANYHANDS_DEBUG && end instanceof Error) process.stderr.write(`${end.stack}\n`);
    return explain(end).exitCode;
  }
}

/** `| head` ends what it reads when it has seen enough; listings are small, so there is nothing to stop. */
function endQuietlyWhenNobodyReads(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(ExitCode.done);
    process.stderr.write(`manyhands: standard output can't be written: ${systemWords(error) ?? error.message}\n`);
    process.exit(ExitCode.failed);
  });
  process.stderr.on('error', () => {});
}
