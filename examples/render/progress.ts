// How far the picture is: a bar on a terminal, a line now and then in a pipe.

interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR = 24;
/** Where words begin: the names of what is told stand before. */
export const COLUMN = 11;
/** Milliseconds between two drawings of the bar, and between two lines. */
const REDRAW = 100;
const REPEAT = 5_000;

export class Progress {
  readonly #name: string;
  readonly #costs: readonly number[];
  readonly #screen: Screen;
  readonly #start = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #total: number;
  #spent = 0;
  #done = 0;

  /** `costs` is what each task may cost, relative to the others. */
  constructor(name: string, costs: readonly number[], screen: Screen = process.stdout) {
    this.#name = name;
    this.#costs = costs;
    this.#screen = screen;
    this.#total = costs.reduce((a, b) => a + b, 0);
    this.#timer = setInterval(() => this.#draw(), screen.isTTY ? REDRAW : REPEAT);
  }

  done(index: number): void {
    this.#done++;
    this.#spent += this.#costs[index] ?? 0;
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#screen.isTTY) this.#screen.write('\r\x1b[2K');
  }

  /** Share and time left are reckoned by cost, not by number: the dear tiles come first, and the cheap ones soon follow. */
  line(seconds: number): string {
    const share = this.#total > 0 ? this.#spent / this.#total : 0;
    const parts = [`${Math.floor(share * 100)}%`, `${this.#done}/${this.#costs.length} tiles`];
    if (this.#done > 0) {
      parts.push(`${(this.#done / seconds).toFixed(1)}/s`, `ETA ${Math.ceil((seconds * (1 - share)) / share)} s`);
    }
    return parts.join('  ');
  }

  #draw(): void {
    const line = this.line((performance.now() - this.#start) / 1_000);
    if (!this.#screen.isTTY) return void this.#screen.write(`${this.#name.padEnd(COLUMN)}${line}\n`);
    const full = Math.round((BAR * this.#spent) / this.#total);
    const bar = `${'█'.repeat(full)}${'░'.repeat(BAR - full)}`;
    this.#screen.write(
      `\r\x1b[2K${`${this.#name.padEnd(COLUMN)}${bar}  ${line}`.slice(0, (this.#screen.columns ?? 80) - 1)}`,
    );
  }
}
