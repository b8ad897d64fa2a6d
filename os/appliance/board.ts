import type { Situation } from './situation.ts';

/** All that the screen shows. */
export interface Board extends Situation {
  readonly version: string;
  /** Name, architecture, cores, memory. */
  readonly machine: string;
  readonly network: string;
  readonly server: string;
  readonly slots: number;
  readonly busy: number;
  readonly done: number;
  /** The last thing that went wrong, and how long ago that was, in words. */
  readonly lastError?: string;
  /** Milliseconds since the machine was started. */
  readonly uptime: number;
}

export const COLUMNS = 80;
export const ROWS = 25;

const LOGO = [
  '      _   _   _',
  '     | | | | | |  _       manyhands',
  '   _ | |_| |_| |_| |      many hands make light work',
  '  | || | | | | | | |',
  '  | |              |',
  '   \\_\\            /',
  '      \\__________/',
];

/** Exactly ROWS lines of at most COLUMNS characters, all of them ASCII: a console without fonts shows no others. */
export function drawBoard(board: Board): string[] {
  const { version, machine, network, server, slots, busy, done, state, advice, lastError, uptime } = board;
  const logo = LOGO.map((line, i) => (i === 3 ? `${line.padEnd(26)}version ${version}` : line));
  const rows = [
    ...logo,
    '',
    ...field('machine', machine).slice(0, 1),
    ...field('network', network).slice(0, 2),
    ...field('server', server).slice(0, 1),
    '',
    ...field('state', state).slice(0, 3),
    ...(advice === undefined ? [] : field('what to do', advice).slice(0, 3)),
    '',
    ...field(
      'slots',
      slots === 0
        ? '-'
        : `${busy} of ${slots} busy ${'#'.repeat(Math.min(busy, 40))}${'.'.repeat(Math.max(0, Math.min(slots, 40) - busy))}`,
    ),
    ...field('tasks done', String(done)),
    ...field('last error', lastError ?? 'none').slice(0, 2),
  ].slice(0, ROWS - 1);
  while (rows.length < ROWS - 1) rows.push('');
  const foot = `  on for ${duration(uptime)}; the power button switches off, Ctrl-Alt-Del restarts`;
  return [...rows, foot].map((row) => plain(row).slice(0, COLUMNS));
}

const INDENT = 14;

/** A name, and beside it what is to be said, in as many lines as it takes. */
function field(name: string, text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).flatMap((each) => each.match(/.{1,62}/gu) ?? [])) {
    if (line !== '' && line.length + word.length + 1 > COLUMNS - INDENT - 2) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  lines.push(line);
  return lines.map((each, i) => `${(i === 0 ? `  ${name}` : '').padEnd(INDENT)}  ${each}`);
}

function plain(text: string): string {
  return text.replaceAll('…', '...').replace(/[^\x20-\x7e]/gu, '?');
}

export function duration(millis: number): string {
  const minutes = Math.floor(millis / 60_000);
  if (minutes < 1) return `${Math.floor(millis / 1_000)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}
