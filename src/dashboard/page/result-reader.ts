import { PAGE_RESULT_BYTES, PAGE_WORK } from '../../model/result-limits.ts';
import { type Outcome, outcomeIn } from '../outcomes.ts';
import { ResultSample } from '../result-sample.ts';
import type { Api } from './api.ts';

/** Reads the results of one job as they were recorded, a part at a time, and goes on where it stopped. */
export class ResultReader {
  readonly sample = new ResultSample();
  readonly #api: Api;
  readonly #job: number;
  /** Read, and not looked at yet. */
  #waiting: Outcome[] = [];
  /** How many of them have been. */
  #next = 0;
  #after = '';

  constructor(api: Api, job: number) {
    this.#api = api;
    this.#job = job;
  }

  /** True: there may be more. */
  async round(signal: AbortSignal): Promise<boolean> {
    // What a cut has left over.
    await this.#look(signal);
    if (this.sample.isFull) return false;
    const isAll = await this.#read(signal);
    await this.#look(signal);
    this.sample.isWhole = isAll;
    return !isAll && !this.sample.isFull;
  }

  /** Only what a cursor follows counts: after a cut the rest is told again. */
  async #read(signal: AbortSignal): Promise<boolean> {
    let untold: Outcome[] = [];
    let bytes = 0;
    const take = (line: string) => {
      bytes += line.length;
      const outcome = outcomeIn(line);
      if (outcome !== undefined) {
        untold.push(outcome);
        return true;
      }
      const { cursor } = (line === '' ? {} : JSON.parse(line)) as { cursor?: string };
      if (cursor === undefined) return true;
      this.#after = `&after=${encodeURIComponent(cursor)}`;
      this.#waiting.push(...untold);
      this.sample.read += bytes;
      untold = [];
      bytes = 0;
      return true;
    };
    const path = `/v1/jobs/${this.#job}/results?order=completion&cursors&defined&brief${this.#after}`;
    return this.#api.lines(path, PAGE_RESULT_BYTES, take, signal);
  }

  async #look(signal: AbortSignal): Promise<void> {
    let rested = performance.now();
    for (;;) {
      const outcome = this.#waiting[this.#next];
      if (outcome === undefined) break;
      const { index, size = 0, type } = outcome;
      if (type === undefined) this.sample.add(outcome);
      else if (!this.sample.isFull && this.sample.wants({ index, type, size })) await this.#fetch(index, type, signal);
      else this.sample.unseen++;
      if (outcome.status === 'done') this.sample.looked++;
      this.#next++;
      if (performance.now() - rested < PAGE_WORK) continue;
      await new Promise((resolve) => setTimeout(resolve));
      rested = performance.now();
    }
    this.#waiting = [];
    this.#next = 0;
  }

  async #fetch(index: number, type: 'json' | 'bytes', signal: AbortSignal): Promise<void> {
    const response = await this.#api.ask(`/v1/jobs/${this.#job}/tasks/${index}/output`, { signal });
    const bytes = new Uint8Array(await response.arrayBuffer());
    this.sample.read += bytes.length;
    const value = type === 'bytes' ? bytes : { json: JSON.parse(new TextDecoder().decode(bytes)) as unknown };
    this.sample.addLarge(index, value);
  }
}
