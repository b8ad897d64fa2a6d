import { INPUT_FLUSH_TIME } from '../model/client-limits.ts';
import { type Job, type JobProgress, wasClosedAt } from '../model/job.ts';
import { FarmError } from './farm-error.ts';
import type { InputWriter } from './input-writer.ts';
import { Pace } from './pace.ts';
import type { Surroundings } from './surroundings.ts';
import type { Wire } from './wire.ts';

export type Inputs<In> = Iterable<In> | AsyncIterable<In>;

/** Pulls the inputs of a job only as fast as they can be sent and are wanted, and lets none wait long for the next. */
export class Feed {
  /** Told by those who read the job's results in this program. */
  readonly pace = new Pace();
  readonly #around: Surroundings;
  readonly #writer: InputWriter;
  readonly #sync: Iterator<unknown> | undefined;
  readonly #async: AsyncIterator<unknown> | undefined;
  /** How many there are, where they are in memory; anything else may take its time for each, and may have no end. */
  readonly #count: number | undefined;
  #done = false;
  #cancelFlush: (() => void) | undefined;
  #giveUp: (() => void) | undefined;

  constructor(around: Surroundings, writer: InputWriter, inputs: Inputs<unknown>) {
    this.#around = around;
    this.#writer = writer;
    this.#count = countOf(inputs);
    if (isObject(inputs) && Symbol.asyncIterator in inputs) this.#async = inputs[Symbol.asyncIterator]();
    else if (isObject(inputs) && Symbol.iterator in inputs) this.#sync = inputs[Symbol.iterator]();
    else throw new TypeError('inputs must be an array, a range, an iterable or an async iterable');
  }

  /** The first block, before there is a job; of something asynchronous nothing, for it may take its time. */
  async begin(): Promise<void> {
    if (this.#sync === undefined) return;
    try {
      await this.#fill(this.#sync);
    } catch (error) {
      this.#sync.return?.();
      throw error;
    }
  }

  /** The rest. Resolves when all of it is on the server's disk and the job is closed, with their number; or has ended early. */
  async run(wire: Wire, job: number): Promise<number | undefined> {
    const writer = this.#writer;
    writer.start(job);
    try {
      if (this.#sync !== undefined) await this.#runSync(this.#sync);
      else if (this.#async !== undefined) await this.#runAsync(this.#async);
      writer.flush();
      await writer.stored();
      const total = writer.next;
      await wire.request({ kind: 'close', job, total });
      return total;
    } catch (error) {
      if (!(await hasEndedEarly(wire, job, error))) throw error;
      return undefined;
    } finally {
      this.stop();
    }
  }

  /** Nothing more is pulled: the job has ended, or the farm is closed. */
  stop(): void {
    this.#cancelFlush?.();
    if (this.#done) return;
    this.#done = true;
    this.#giveUp?.();
    this.pace.wake();
    const ending = this.#sync?.return?.() ?? this.#async?.return?.();
    Promise.resolve(ending).catch(() => {});
  }

  /**
   * Goes on with a job that was submitted before with the same key; false: all of it is there. Its inputs were cut into
   * blocks by time as well as by number, so the same ones can't be sent again place by place: what is there is skipped.
   */
  async goOn(wire: Wire, job: number): Promise<boolean> {
    const { spec, progress } = (await wire.request({ kind: 'status', job })) as Pick<Job, 'spec' | 'progress'>;
    const { total, open } = progress;
    const count = this.#count;
    if (count !== undefined && (open ? total > count : !wasClosedAt(count, spec, progress))) {
      throw new FarmError(
        'conflict',
        `the idempotencyKey belongs to job ${job}, which has ${total} inputs, not ${count}: give another job another key`,
      );
    }
    if (open) this.#writer.skipTo(total);
    else this.stop();
    return open;
  }

  async #runSync(iterator: Iterator<unknown>): Promise<void> {
    while (this.#goesOn()) {
      this.#writer.flush();
      await (this.#writer.room() ?? this.#around.pause());
      await this.#wanted();
      await this.#fill(iterator);
    }
  }

  /** Until the block is full or, with a slow iterable, has waited for long enough. */
  async #fill(iterator: Iterator<unknown>): Promise<void> {
    const writer = this.#writer;
    const isThere = this.#count !== undefined;
    const until = isThere ? Number.POSITIVE_INFINITY : this.#around.now() + INPUT_FLUSH_TIME;
    while (!this.#done && !writer.isFull) {
      const { done, value } = iterator.next();
      if (done === true) {
        this.#done = true;
        return;
      }
      const large = writer.add(value);
      if (large !== undefined) await large;
      if (!isThere && this.#around.now() > until) return;
    }
  }

  async #runAsync(iterator: AsyncIterator<unknown>): Promise<void> {
    const writer = this.#writer;
    while (this.#goesOn()) {
      const { done, value } = await this.#pull(iterator);
      if (done === true) {
        this.#done = true;
        break;
      }
      const large = writer.add(value);
      if (large !== undefined) await large;
      if (writer.isFull) {
        writer.flush();
        // What yields without waiting would let nothing else happen.
        await this.#around.pause();
      } else this.#cancelFlush ??= this.#around.alarm(INPUT_FLUSH_TIME, () => this.#flushNow(), true);
      const room = writer.room();
      if (room !== undefined) await room;
      await this.#wanted();
    }
    this.#cancelFlush?.();
  }

  /** The next input; none if the feed is stopped while it is waited for, be that for ever. */
  #pull(iterator: AsyncIterator<unknown>): Promise<IteratorResult<unknown>> {
    return new Promise((resolve, reject) => {
      this.#giveUp = () => resolve({ done: true, value: undefined });
      iterator.next().then(resolve, reject);
    });
  }

  /** Waits, with all that was pulled on its way, until whoever reads the results has come closer. */
  async #wanted(): Promise<void> {
    if (this.#count !== undefined) return;
    const { next, sentBytes } = this.#writer;
    for (let room = this.pace.room(next, sentBytes); room !== undefined; room = this.pace.room(next, sentBytes)) {
      if (!this.#goesOn()) return;
      this.#writer.flush();
      await room;
    }
  }

  #flushNow(): void {
    this.#cancelFlush = undefined;
    this.#writer.flush();
  }

  #goesOn(): boolean {
    return !this.#done && this.#writer.failure === undefined;
  }
}

function countOf(inputs: Inputs<unknown>): number | undefined {
  if (Array.isArray(inputs)) return inputs.length;
  return inputs instanceof Set || inputs instanceof Map ? inputs.size : undefined;
}

function isObject(inputs: unknown): inputs is object {
  return typeof inputs === 'object' && inputs !== null;
}

/**
 * Says again how many inputs there are, after what was stored went back in time: a job of which that is lost would wait for ever.
 * Rejects if inputs are lost, too. Of a job that is lost as a whole whoever reads of it hears.
 */
export async function closeAgain(wire: Wire, job: number, total: number): Promise<void> {
  try {
    await wire.request({ kind: 'close', job, total });
  } catch (error) {
    if (!(error instanceof FarmError) || error.code !== 'invalid') return;
    throw new FarmError(
      'conflict',
      `the farm's database went back in time and lost some of the ${total} inputs of job ${job}: submit it again`,
      { cause: error },
    );
  }
}

/** Inputs of a job that has ended meanwhile are refused; its results say why it ended. */
async function hasEndedEarly(wire: Wire, job: number, error: unknown): Promise<boolean> {
  if (!(error instanceof FarmError) || error.code !== 'conflict') return false;
  const { progress } = (await wire.request({ kind: 'status', job })) as { progress: JobProgress };
  // It may have been opened again by now, with what had failed.
  return progress.endedAt !== undefined || progress.generation > 0;
}
