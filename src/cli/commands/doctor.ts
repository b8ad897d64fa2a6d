import type { Command } from 'commander';
import { wholeNumber } from '../arguments/numbers.ts';
import { ExitCode } from '../errors.ts';
import { type ServerOptions, withServer } from '../find-server.ts';
import { printJson } from '../output/print.ts';
import { printable } from '../output/printable.ts';
import type { Finish } from '../program.ts';

/** What was looked at and what is to be done about it. `note`: worth knowing, nothing is wrong. */
export interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'note' | 'wrong';
  /** One sentence, and where something is wrong what to do. */
  readonly words: string;
}

interface DoctorOptions extends ServerOptions {
  port?: number;
  json?: true;
}

const MARKS = { ok: '✓', note: '•', wrong: '✗' } as const;
const COLOURS = { ok: '\x1b[32m', note: '\x1b[33m', wrong: '\x1b[31m' } as const;

export function addDoctor(program: Command, finish: Finish): void {
  const command = program
    .command('doctor')
    .description('look for what may be wrong on this machine or with its server, and say what to do')
    .option('--port <port>', 'the port that a server here would use (default: 7070)', wholeNumber('--port', 1, 65_535))
    .option('--json', 'print the findings as JSON');
  withServer(command).action(async (options: DoctorOptions) => finish(await doctor(options)));
}

async function doctor(options: DoctorOptions): Promise<number> {
  const { examine } = await import('../doctor/examine.ts');
  const findings: Finding[] = [];
  const hasColour = process.stdout.isTTY === true && !process.env.NO_COLOR;
  for await (const finding of examine(options)) {
    findings.push(finding);
    if (options.json) continue;
    const mark = hasColour ? `${COLOURS[finding.state]}${MARKS[finding.state]}\x1b[0m` : MARKS[finding.state];
    process.stdout.write(`${mark} ${finding.what.padEnd(14)}  ${printable(finding.words)}\n`);
  }
  if (options.json) printJson(findings);
  return findings.some(({ state }) => state === 'wrong') ? ExitCode.failed : ExitCode.done;
}
