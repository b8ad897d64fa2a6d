import { duration } from '../figures.ts';
import type { Stretch, Tone, WorkerPast } from '../past.ts';
import { type Span, ticksOf } from '../window.ts';
import { type CanvasSize, colorOf } from './use-canvas.ts';

const TITLE = 18;
const AXIS = 22;
const GAP = 6;
/** Pixels of a lane; of very many lanes each gets less. */
const LANE = 14;
const LANE_LEAST = 3;
const TALL = 600;
const TICK_WIDTH = 90;

export interface Drawn {
  readonly past: readonly WorkerPast[];
  readonly shown: Span;
  /** When the job began. */
  readonly start: number;
  readonly moment: number | undefined;
  readonly nameOf: (worker: string) => string;
}

export function heightOf(past: readonly WorkerPast[]): number {
  const lane = laneOf(past);
  return AXIS + past.reduce((sum, { lanes }) => sum + TITLE + lanes * lane + GAP, 0);
}

function laneOf(past: readonly WorkerPast[]): number {
  const lanes = past.reduce((sum, each) => sum + each.lanes, 0);
  return Math.max(LANE_LEAST, Math.min(LANE, Math.floor(TALL / Math.max(1, lanes))));
}

/** Draws the lanes of each worker below its name, and the time below all of them. */
export function drawTimeline(context: CanvasRenderingContext2D, { width, height }: CanvasSize, drawn: Drawn): void {
  const { past, shown, start, moment, nameOf } = drawn;
  const brush = new Brush(context, width, shown);
  context.clearRect(0, 0, width, height);
  const ticks = ticksOf(shown, start, Math.max(2, Math.floor(width / TICK_WIDTH)));
  brush.ticks(ticks, start, height);
  const lane = laneOf(past);
  let y = 0;
  for (const row of past) {
    brush.title(nameOf(row.worker), y + TITLE - 5);
    y += TITLE;
    for (const stretch of row.stretches) brush.stretch(stretch, y + stretch.lane * lane, lane - 1);
    for (const mark of row.marks) brush.mark(mark.at, y + mark.lane * lane, lane - 1);
    y += row.lanes * lane + GAP;
  }
  if (moment !== undefined) brush.moment(moment, height - AXIS);
}

class Brush {
  readonly #context: CanvasRenderingContext2D;
  readonly #width: number;
  readonly #shown: Span;
  readonly #colors: Readonly<Record<Tone | 'ink' | 'text' | 'line' | 'paper', string>>;

  constructor(context: CanvasRenderingContext2D, width: number, shown: Span) {
    this.#context = context;
    this.#width = width;
    this.#shown = shown;
    const { canvas } = context;
    const soft = colorOf(canvas, 'soft');
    this.#colors = {
      done: colorOf(canvas, 'accent'),
      failed: colorOf(canvas, 'bad'),
      running: colorOf(canvas, 'accent-soft'),
      lost: soft,
      superseded: soft,
      ink: colorOf(canvas, 'ink'),
      text: soft,
      line: colorOf(canvas, 'line'),
      paper: colorOf(canvas, 'panel'),
    };
    const { fontFamily } = getComputedStyle(canvas);
    context.font = `12px ${fontFamily}`;
  }

  ticks(ticks: readonly number[], start: number, height: number): void {
    const { line, text } = this.#colors;
    for (const tick of ticks) {
      const x = this.#x(start + tick);
      this.#context.fillStyle = line;
      this.#context.fillRect(Math.round(x), 0, 1, height - AXIS);
      this.#context.fillStyle = text;
      const words = tick === 0 ? '0' : duration(tick);
      const wide = this.#context.measureText(words).width;
      this.#context.fillText(words, Math.min(Math.max(0, x - wide / 2), this.#width - wide), height - 6);
    }
  }

  title(words: string, y: number): void {
    this.#context.fillStyle = this.#colors.ink;
    this.#context.fillText(words.slice(0, 80), 0, y, this.#width);
  }

  /** What came to nothing is only an outline, a failure has a notch: the form says the same as the colour. */
  stretch({ tone, from, to }: Stretch, y: number, height: number): void {
    if (to < this.#shown.from || from > this.#shown.to) return;
    const left = Math.max(-2, this.#x(from));
    const width = Math.max(1, Math.min(this.#width + 2, this.#x(to)) - left - 0.5);
    this.#context.fillStyle = this.#colors[tone];
    if (tone === 'lost' || tone === 'superseded') {
      this.#context.strokeStyle = this.#colors[tone];
      this.#context.strokeRect(left + 0.5, y + 0.5, Math.max(1, width - 1), Math.max(1, height - 1));
      return;
    }
    this.#context.fillRect(left, y, width, height);
    if (tone !== 'failed' || height < 6 || width < 6) return;
    this.#context.fillStyle = this.#colors.paper;
    this.#context.fillRect(left + width - 4, y, 3, 3);
  }

  mark(at: number, y: number, height: number): void {
    this.#context.fillStyle = this.#colors.failed;
    this.#context.fillRect(this.#x(at) - 1, y, 2, height);
  }

  moment(at: number, height: number): void {
    this.#context.fillStyle = this.#colors.ink;
    this.#context.fillRect(Math.round(this.#x(at)), 0, 1, height);
  }

  #x(at: number): number {
    return ((at - this.#shown.from) / (this.#shown.to - this.#shown.from)) * this.#width;
  }
}
