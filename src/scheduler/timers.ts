import type { Millis } from '../model/ids.ts';

interface Timer {
  readonly at: Millis;
  readonly order: number;
  readonly run: () => void;
}

/** What is to happen later, soonest first; of equal times, first set first. Timers are not cancelled: they look when they fire. */
export class Timers {
  readonly #heap: Timer[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  get next(): Millis | undefined {
    return this.#heap[0]?.at;
  }

  set(at: Millis, run: () => void): void {
    const heap = this.#heap;
    const timer = { at, order: this.#order++, run };
    let i = heap.length;
    heap.push(timer);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(timer, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = timer;
  }

  /** Runs all that are due, also those that are set meanwhile and due. */
  run(now: Millis): void {
    while (this.#heap.length > 0 && this.#heap[0]!.at <= now) this.#pop().run();
  }

  #pop(): Timer {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
