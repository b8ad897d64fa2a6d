import process from 'node:process';
import type { Millis } from '../../model/ids.ts';

/** More than this at one moment is a loop that never ends. */
const MOST_AT_ONCE = 100_000;

/** Something that will happen, unless it is called off. */
export interface Happening {
  readonly time: Millis;
  readonly order: number;
  readonly who: number;
  run: (() => void) | undefined;
}

/** What a simulation found to be wrong: `rule` is the broken invariant of faults.md, or the number of a fault. */
export class Violation extends Error {
  readonly rule: string;

  constructor(rule: string, message: string, options?: ErrorOptions) {
    super(`${rule}: ${message}`, options);
    this.name = 'Violation';
    this.rule = rule;
  }
}

/**
 * Virtual time: one heap of what will happen, ordered by time and then by the order of planning. It also keeps what makes
 * a run comparable (the rolling hash) and useful (what was reached).
 */
export class World {
  now: Millis = 0;
  events = 0;
  readonly reached = new Map<string, number>();
  trace: ((line: string) => void) | undefined;
  failure: Violation | undefined;
  readonly #heap: Happening[] = [];
  #order = 0;
  #hash = 0x811c9dc5;
  #stirred = false;
  /** What has happened without time passing. */
  #instant = 0;

  /** `who`: a small number for the trace and the hash. */
  at(time: Millis, who: number, run: () => void): Happening {
    const happening: Happening = { time: time > this.now ? time : this.now, order: this.#order++, who, run };
    this.#push(happening);
    return happening;
  }

  after(delay: Millis, who: number, run: () => void): Happening {
    return this.at(this.now + delay, who, run);
  }

  /** Code that uses promises was called: what they lead to happens before the next event. */
  stir(): void {
    this.#stirred = true;
  }

  sometimes(what: string): void {
    this.reached.set(what, (this.reached.get(what) ?? 0) + 1);
  }

  /** The first violation ends the run. */
  fail(rule: string, message: string, cause?: unknown): void {
    const when = `${message} (at ${Math.round(this.now)} ms)`;
    this.failure ??= new Violation(rule, when, cause === undefined ? {} : { cause });
    this.trace?.(`!! ${rule}: ${when}`);
  }

  note(text: () => string): void {
    if (this.trace !== undefined) this.trace(`${this.now.toFixed(1).padStart(11)}  ${text()}`);
  }

  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193) ^ (this.#hash >>> 15);
  }

  /** Of everything that has happened so far. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  /** Lets time pass until `end`, until `enough`, or until something is wrong. Promises settle between the events. */
  async run(end: Millis, enough: () => boolean = () => false): Promise<void> {
    await settled();
    while (this.failure === undefined && !enough()) {
      const next = this.#heap[0];
      if (next === undefined || next.time > end) break;
      this.#pop();
      if (next.run === undefined) continue;
      this.#instant = next.time > this.now ? 0 : this.#instant + 1;
      if (this.#instant > MOST_AT_ONCE) this.fail('L3', `${MOST_AT_ONCE} things happened at the same moment`);
      this.now = next.time;
      this.events++;
      this.mix(Math.round(next.time * 1000));
      this.mix(next.who);
      try {
        next.run();
      } catch (error) {
        // In a real process nobody would have caught it.
        this.fail('F-36', `an exception: ${(error as Error).message}`, error);
      }
      if (this.#stirred) {
        this.#stirred = false;
        await settled();
      }
    }
    if (this.failure === undefined && this.now < end && !enough()) this.now = end;
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(happening);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Happening;
      if (!isBefore(happening, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = happening;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Happening;
    const length = heap.length;
    if (length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      const right = heap[child + 1];
      if (child + 1 < length && isBefore(right as Happening, heap[child] as Happening)) child++;
      if (!isBefore(heap[child] as Happening, last)) break;
      heap[at] = heap[child] as Happening;
      at = child;
    }
    heap[at] = last;
  }
}

/** It will not happen. */
export function callOff(happening: Happening | undefined): void {
  if (happening !== undefined) happening.run = undefined;
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}

/**
 * Resolves when every promise that can settle has: Node runs `nextTick` callbacks only once the queue of microtasks is
 * empty, whatever their number. No timer and no turn of the event loop is involved, so this is exact and fast.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
