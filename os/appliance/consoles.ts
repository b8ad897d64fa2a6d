import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { type Board, drawBoard } from './board.ts';

/** Seconds between two lines on a serial line that say nothing but how many tasks are done. */
const FIGURES_EVERY = 10_000;

/** Screens that show the board, and serial lines that get a line whenever something on it has changed. */
export class Consoles {
  readonly #screens: Screen[] = [];
  readonly #lines: number[] = [];
  #said: Partial<Board> = {};
  #figuresAt = 0;

  /** `active`: what the kernel writes to, such as `tty0 ttyS0`. */
  constructor(active = readFileSync('/sys/class/tty/console/active', 'utf8')) {
    // The screen is there even where the kernel was told of a serial line only.
    const names = new Set(['tty0', ...active.trim().split(/\s+/)]);
    for (const name of names) {
      const file = open(name === 'tty0' ? '/dev/tty1' : `/dev/${name}`);
      if (file === undefined) continue;
      if (/^tty\d+$/.test(name)) this.#screens.push(new Screen(file));
      else this.#lines.push(file);
    }
  }

  show(board: Board, now: number): void {
    const rows = drawBoard(board);
    for (const screen of this.#screens) screen.show(rows);
    if (this.#lines.length > 0) for (const line of this.#news(board, now)) this.#say(line);
  }

  #news(board: Board, now: number): string[] {
    const { network, server, state, advice, lastError } = board;
    const lines: string[] = [];
    const tell = (key: keyof Board, text: string | undefined): void => {
      if (text !== undefined && this.#said[key] !== board[key]) lines.push(text);
    };
    tell('network', `network: ${network}`);
    tell('server', `server: ${server}`);
    tell('state', state);
    tell('advice', advice && `what to do: ${advice}`);
    tell('lastError', lastError && `last error: ${lastError}`);
    const isDue = board.done !== this.#said.done && now - this.#figuresAt >= FIGURES_EVERY;
    if (isDue) lines.push(`${board.busy} of ${board.slots} slots busy, ${board.done} tasks done`);
    const { done } = isDue ? board : { done: this.#said.done ?? 0 };
    if (isDue) this.#figuresAt = now;
    this.#said = { network, server, state, done, ...(advice && { advice }), ...(lastError && { lastError }) };
    return lines;
  }

  #say(line: string): void {
    for (const file of this.#lines) write(file, `manyhands: ${line.replaceAll('…', '...')}\r\n`);
  }
}

/** A text screen on which only rows that have changed are written again. */
class Screen {
  readonly #file: number;
  #rows: readonly string[] = [];

  constructor(file: number) {
    this.#file = file;
    // Clean, without a cursor, and never blank: not even after an hour without a key.
    write(file, '\x1b[0m\x1b[2J\x1b[?25l\x1b[9;0]\x1b[14;0]');
  }

  show(rows: readonly string[]): void {
    const changed = rows.flatMap((row, i) => (row === this.#rows[i] ? [] : [`\x1b[${i + 1};1H\x1b[2K${row}`]));
    this.#rows = rows;
    if (changed.length > 0) write(this.#file, changed.join(''));
  }
}

function open(file: string): number | undefined {
  try {
    // A serial line that nobody reads must not hold up the worker.
    return openSync(file, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

function write(file: number, text: string): void {
  try {
    writeSync(file, text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') closeQuietly(file);
  }
}

function closeQuietly(file: number): void {
  try {
    closeSync(file);
  } catch {
    // It is gone already.
  }
}
