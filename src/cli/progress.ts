import { formatDuration } from './arguments/duration.ts';
import { formatCount } from './output/table.ts';

/** What a bar shows of a job. */
export interface Standing {
  readonly total: number;
  /** Whether `total` is the last word: more inputs may still come. */
  readonly isOpen: boolean;
  readonly done: number;
  readonly failed: number;
  /** Given to workers: most of them run, the rest are next in a worker's queue. */
  readonly running?: number;
}

/** Seconds in which the rate follows a change by two thirds: at least, and as a share of the time so far, since tasks may be long. */
const RATE_MEMORY = 3;
const RATE_MEMORY_SHARE = 0.2;
/** Milliseconds between two drawings: what an eye can follow. */
const REDRAW_EVERY = 100;
const BAR_WIDTH = 24;

/** The rate of ended tasks, fed with counts and times: of late ones more than of early ones, and right from the first. */
export class Rate {
  #begun: number | undefined;
  #last = { ended: 0, at: 0 };
  /** Tasks, and the seconds that they took, each counting less the longer ago it was. */
  #tasks = 0;
  #seconds = 0;

  /** Tasks a second; undefined until one has ended. */
  get value(): number | undefined {
    return this.#tasks > 0 ? this.#tasks / this.#seconds : undefined;
  }

  feed(ended: number, at: number): void {
    const last = this.#last;
    this.#last = { ended, at };
    this.#begun ??= at;
    const seconds = (at - last.at) / 1_000;
    // Its first look; or a retry, which begins to count anew.
    if (at === this.#begun || ended < last.ended || seconds <= 0) return;
    const kept = Math.exp(-seconds / Math.max(RATE_MEMORY, ((at - this.#begun) / 1_000) * RATE_MEMORY_SHARE));
    this.#tasks = this.#tasks * kept + ended - last.ended;
    this.#seconds = this.#seconds * kept + seconds;
  }
}

/** The bar as one line of at most `width` columns, without colours unless wanted. */
export function drawBar(standing: Standing, rate: number | undefined, width: number, hasColour: boolean): string {
  const { total, isOpen, done, failed, running } = standing;
  const ended = done + failed;
  const share = total === 0 ? 0 : ended / total;
  const full = Math.round(share * BAR_WIDTH);
  const parts = [
    `${String(Math.floor(share * 100)).padStart(3)}%`,
    `${formatCount(ended)}/${formatCount(total)}${isOpen ? '+' : ''}`,
  ];
  if (rate !== undefined) {
    parts.push(`${formatRate(rate)}/s`);
    if (!isOpen && rate > 0 && ended < total) parts.push(`ETA ${formatDuration(((total - ended) / rate) * 1_000)}`);
  }
  if (running !== undefined && running > 0) parts.push(`${formatCount(running)} with workers`);
  if (failed > 0) parts.push(`${formatCount(failed)} failed`);
  const bar = `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)} `;
  let text = parts.join('  ');
  const hasBar = bar.length + text.length <= width;
  if (!hasBar) text = text.slice(0, Math.max(0, width));
  if (!hasBar) return text;
  return hasColour ? `\x1b[32m${bar}\x1b[0m${text}` : `${bar}${text}`;
}

function formatRate(rate: number): string {
  return rate >= 100 ? formatCount(Math.round(rate)) : rate.toFixed(rate >= 10 ? 0 : 1);
}

/** The terminal a bar is drawn on. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** A line at the bottom of a terminal that keeps out of the way of what else is printed. In a pipe it is nothing at all. */
export class ProgressBar {
  readonly #screen: Screen;
  /** Whether there is a terminal that wants to see it. */
  readonly isShown: boolean;
  readonly #hasColour: boolean;
  readonly #rate = new Rate();
  #standing: Standing | undefined;
  #timer: NodeJS.Timeout | undefined;
  #onScreen = false;
  /** Something else is being written to the same terminal. */
  #isAside = false;
  #wasAside = false;
  #ended = false;

  constructor(screen: Screen, { quiet = false, env = process.env as Record<string, string | undefined> } = {}) {
    this.#screen = screen;
    this.isShown = screen.isTTY === true && !quiet && env.TERM !== 'dumb';
    this.#hasColour = (env.NO_COLOR ?? '') === '';
  }

  update(standing: Standing): void {
    this.#standing = standing;
    if (!this.isShown || this.#ended || this.#timer !== undefined) return;
    // Whoever leaves in a hurry must not leave half a bar before the shell's prompt.
    process.once('exit', this.#clearAtExit);
    this.#timer = setInterval(() => this.#draw(), REDRAW_EVERY);
    this.#timer.unref();
    this.#draw();
  }

  /** To be called before anything else is written to the same terminal; the bar comes back by itself. */
  clear(): void {
    if (!this.#onScreen) return;
    this.#screen.write('\r\x1b[2K');
    this.#onScreen = false;
  }

  /** Steps aside for what takes its time to be written, as results do. A bar that is full by then has nothing more to tell. */
  async aside(write: () => Promise<void>): Promise<void> {
    this.clear();
    this.#isAside = true;
    this.#wasAside = true;
    try {
      await write();
    } finally {
      this.#isAside = false;
    }
  }

  /** Takes the bar away for good. */
  end(): void {
    this.#ended = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    process.off('exit', this.#clearAtExit);
    this.clear();
  }

  readonly #clearAtExit = (): void => this.clear();

  #draw(): void {
    const standing = this.#standing;
    if (standing === undefined) return;
    const ended = standing.done + standing.failed;
    this.#rate.feed(ended, performance.now());
    if (this.#isAside || (this.#wasAside && ended === standing.total && !standing.isOpen)) return;
    // One column stays free: a full line would make some terminals begin the next one.
    const line = drawBar(standing, this.#rate.value, (this.#screen.columns ?? 80) - 1, this.#hasColour);
    this.#screen.write(`\r\x1b[2K${line}`);
    this.#onScreen = true;
  }
}
