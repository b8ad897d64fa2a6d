import { FarmError } from '../../client/farm-error.ts';
import type { Job } from '../../client/job.ts';
import { range } from '../../client/range.ts';
import type { JobProgress } from '../../model/job.ts';
import type { ClientLife } from './client-life.ts';
import type { Stage } from './machine.ts';
import type { JobPlan } from './plan.ts';
import { Reading } from './reading.ts';
import { codeOf, firstInput, INPUT_STEP, inputOf, jobName, variantsOf } from './tasks.ts';

/** Milliseconds until a program asks again that was told that the farm is full or busy. */
const AGAIN = [100, 2_000] as const;
/** Milliseconds that a slow reader takes for a message. */
const DIGESTION = [0.1, 30] as const;

/** The job as it was submitted last. */
interface Place {
  job: Job;
}

/** Milliseconds after which nothing happens any more of what a process asked for before it died: also a store that was away was waited for. */
const LAST_WORDS = 100_000;

/** What a program does with one job, through as many lives as its process has. What it must not forget is kept here. */
export class Program {
  readonly plan: JobPlan;
  readonly number: number;
  /** The one of the same client whose results its job takes. */
  source: Program | undefined;
  /** Nothing more to do. */
  over = false;
  job: number | undefined;
  readonly #stage: Stage;
  #reading: Reading | undefined;
  #progress: JobProgress | undefined;
  #cancel: 'no' | 'asked' | 'answered' = 'no';
  #pause: 'no' | 'asked' | 'over' = 'no';
  #retry: 'no' | 'asked' | 'answered' = 'no';
  #forgetting = false;

  constructor(stage: Stage, plan: JobPlan, number: number) {
    this.#stage = stage;
    this.plan = plan;
    this.number = number;
  }

  /** The store failed over: as if nothing had been done yet. A pause may be there that was undone in what is lost. */
  beginAgain(): void {
    this.over = false;
    this.job = undefined;
    this.#reading = undefined;
    this.#progress = undefined;
    this.#cancel = 'no';
    this.#pause = this.#pause === 'no' ? 'no' : 'asked';
    this.#retry = 'no';
    this.#forgetting = false;
  }

  /** In the life of a process; another one goes on where this one ends. */
  async run(life: ClientLife): Promise<void> {
    if (this.over) return;
    const { observer, world } = this.#stage;
    try {
      await this.#through(life);
    } catch (error) {
      const isExcused = observer.failovers > 0 && error instanceof FarmError && !isEnd(error);
      if (!life.alive || !isExcused) throw error;
      world.sometimes(`a program was told after a failover: ${error.code}`);
      // What it comes after may be lost, too.
      for (let each: Program | undefined = this; each !== undefined; each = each.source) each.beginAgain();
      throw new FarmError('closed', 'it gives up and is started again', { cause: error });
    }
  }

  async #through(life: ClientLife): Promise<void> {
    const { world } = this.#stage;
    await life.sleep(Math.max(0, this.plan.at - world.now));
    if (!this.#forgetting) {
      const submitted = await this.#submit(life);
      if (submitted === undefined) {
        world.sometimes('a job could not come after one that had ended otherwise');
        this.over = true;
        return;
      }
      const at = { job: submitted };
      this.job = at.job.id;
      await Promise.all([
        this.#sendAll(life, at),
        this.#cancelLater(life, at),
        this.#pauseLater(life, at),
        this.#readAll(life, at),
      ]);
    }
    if (this.plan.forget) {
      if (this.#forgetting) world.sometimes('a program died while it forgot its job');
      this.#forgetting = true;
      await this.#insist(life, () => life.farm.job(this.job as number).forget(), 'unknown');
    }
    this.over = true;
  }

  /** Until it is accepted; a process that died tries again under the same key. Undefined: the job that it should come after ended otherwise. */
  async #submit(life: ClientLife): Promise<Job | undefined> {
    const { retries, timeout, priority, fenced, maxFailures, requires, cpus, spawns } = this.plan;
    const options = {
      name: jobName(this.number),
      idempotencyKey: `key ${this.number}`,
      ...{ retries, priority, fenced, maxFailures, requires, cpus },
      resources: this.plan.resources,
      ...(timeout === undefined ? {} : { timeout }),
      ...(spawns === true && { spawns }),
    };
    const variants = variantsOf(this.plan, this.number);
    const code = { code: codeOf(this.plan, this.number), sourceName: jobName(this.number), variants };
    if (this.source === undefined) return this.#insist(life, () => life.farm.map(code, this.#inputs(life), options));
    while (this.source.job === undefined) {
      if (this.source.over) return undefined;
      await life.sleep(100);
    }
    const source = life.farm.job(this.source.job);
    return this.#insist(life, () => life.farm.map(code, source, options), 'conflict');
  }

  /** A farm that was full for a moment refuses inputs; under the same key they go on where they were. */
  async #sendAll(life: ClientLife, at: Place): Promise<void> {
    let first = true;
    await this.#insist(life, async () => {
      if (!first) at.job = (await this.#submit(life)) ?? at.job;
      first = false;
      await at.job.submitted;
    });
  }

  #inputs(life: ClientLife): Iterable<number> | AsyncIterable<number> {
    const { inputs, count } = this.plan;
    const first = firstInput(this.number);
    if (inputs === undefined) return range(first, first + count * INPUT_STEP, INPUT_STEP);
    if (inputs.pause === 0) return Array.from({ length: count }, (_, index) => inputOf(this.number, index));
    return this.#slowInputs(life, count, inputs);
  }

  async *#slowInputs(life: ClientLife, count: number, { size, pause }: NonNullable<JobPlan['inputs']>) {
    for (let index = 0; index < count; index++) {
      if (index > 0 && index % size === 0) await life.sleep(this.#stage.healed ? 1 : pause);
      yield inputOf(this.number, index);
    }
  }

  async #cancelLater(life: ClientLife, at: Place): Promise<void> {
    const { cancelAfter } = this.plan;
    if (cancelAfter === undefined || this.#cancel === 'answered') return;
    if (this.#cancel === 'no') await life.sleep(cancelAfter);
    if (this.#stage.healed && this.#cancel === 'no') return;
    this.#cancel = 'asked';
    await this.#insist(life, () => at.job.cancel());
    this.#cancel = 'answered';
    this.#stage.world.sometimes('a job was cancelled');
  }

  async #pauseLater(life: ClientLife, at: Place): Promise<void> {
    const { pause } = this.plan;
    if (pause === undefined || this.#pause === 'over') return;
    const isLater = this.#pause === 'asked';
    if (this.#pause === 'no') {
      await life.sleep(pause.after);
      this.#pause = 'asked';
      await this.#insist(life, () => at.job.pause(), 'conflict');
      this.#stage.world.sometimes('a job was paused');
      await life.sleep(pause.for);
    }
    await this.#insist(life, () => at.job.resume(), 'conflict');
    if (isLater) {
      // The last words of the life before may have come after these.
      await life.sleep(LAST_WORDS);
      await this.#insist(life, () => at.job.resume(), 'conflict');
    }
    this.#pause = 'over';
  }

  async #readAll(life: ClientLife, at: Place): Promise<void> {
    const { world } = this.#stage;
    if (this.#reading === undefined) this.#reading = this.#newReading(at.job.id);
    else {
      this.#reading.goOn();
      world.sometimes('a program went on reading after its crash');
    }
    if (this.#progress === undefined) this.#progress = await this.#read(life, at, this.#reading);
    if (!this.plan.retryFailed || this.#progress.failed === 0 || this.#retry === 'answered') return;
    if (this.#retry === 'no') this.#reading.again();
    this.#retry = 'asked';
    await this.#insist(life, () => at.job.retry(), 'conflict');
    this.#retry = 'answered';
    this.#progress = undefined;
    this.#progress = await this.#read(life, at, this.#reading);
  }

  #newReading(job: number): Reading {
    const { world, observer } = this.#stage;
    return new Reading(world, observer, this.plan, this.number, job);
  }

  /** Resolves when the stream has ended; a stream that the server gives up is opened again. */
  async #read(life: ClientLife, at: Place, reading: Reading): Promise<JobProgress> {
    const progress = await this.#insist(life, () => {
      reading.goOn();
      if (this.plan.reading === 'messages') return this.#readMessages(life, at.job, reading);
      return this.plan.reading === 'batches' ? this.#readBatches(at.job, reading) : this.#readRecords(at.job, reading);
    });
    reading.ended(progress);
    return progress;
  }

  #readMessages(life: ClientLife, job: Job, reading: Reading): Promise<JobProgress> {
    const { order, credit } = this.plan;
    const { world } = this.#stage;
    let held = 0;
    return new Promise((resolve, reject) => {
      const after = Number(reading.after ?? 0);
      const stream = life.wire.openStream(
        { kind: 'results', job: job.id, order, after, credit },
        {
          batch: (batch) => {
            if (held >= credit) world.fail('S11', `${held} bytes came with a credit of ${credit}, and yet more`);
            held += batch.bytes;
            reading.batch(batch.runs, batch.column, batch.cursor);
            const { random } = life.machine;
            life.after(random.between(...DIGESTION), () => {
              held -= batch.bytes;
              life.wire.consumed(stream, batch.bytes);
            });
          },
          mark: (next) => reading.mark(next),
          ended: resolve,
          failed: reject,
        },
      );
    });
  }

  async #readBatches(job: Job, reading: Reading): Promise<JobProgress> {
    const batches = job.batches({ order: this.plan.order, after: Number(reading.after ?? 0) });
    for (;;) {
      const { done, value } = await batches.next();
      if (done === true) return value ?? (await job.status()).progress;
      if ('next' in value) reading.mark(value.next);
      else reading.batch(value.runs, value.column, value.cursor);
    }
  }

  async #readRecords(job: Job, reading: Reading): Promise<JobProgress> {
    const ordered = this.plan.order === 'index';
    const after = reading.after;
    const stream = job.results({ ordered, ...(after === undefined ? {} : { after: String(after) }) });
    for await (const record of stream) reading.record(record, stream.cursor);
    return (await job.status()).progress;
  }

  /**
   * Tries again while the farm is full or busy. What it says to a second asking of something that was done already is no
   * error.
   */
  async #insist<Value>(life: ClientLife, act: () => Promise<Value>, harmless?: string): Promise<Value> {
    for (;;) {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof FarmError)) throw error;
        if (error.code === harmless) return undefined as Value;
        if (error.code !== 'full' && error.code !== 'busy') throw error;
        this.#stage.world.sometimes(`a program was told that the farm is ${error.code}`);
        await life.sleep(life.machine.random.between(...AGAIN));
      }
    }
  }
}

/** Not of the farm's making: the process is over, or began without it. */
function isEnd({ code }: FarmError): boolean {
  return code === 'closed' || code === 'unreachable';
}
