import { RUN_JOB_IDLE } from '../model/client-limits.ts';
import { RESULT_WINDOW_BYTES } from '../model/limits.ts';
import { FarmError } from './farm-error.ts';
import { InputWriter } from './input-writer.ts';
import type { JobOptions } from './job-options.ts';
import { blobAt, failureAt, type Outcomes, readOutcomes, valueOfBlob } from './outcomes.ts';
import type { StreamBatch } from './session-io.ts';
import { submit, submitBody } from './submit.ts';
import type { Surroundings } from './surroundings.ts';
import type { TaskCode } from './task-code.ts';
import type { Wire } from './wire.ts';

interface Call {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * The open job that the single runs of one function share. Calls of one turn travel in one message; a call costs the
 * client one promise and one place in a map.
 */
export class SharedRun {
  readonly #around: Surroundings;
  readonly #wire: Wire;
  readonly #writer: InputWriter;
  readonly #calls = new Map<number, Call>();
  readonly #onOver: (closing?: Promise<void>) => void;
  #job = 0;
  #opening: Promise<void> | undefined;
  #stream: number | undefined;
  #flushing = false;
  #usedAt: number;
  #cancelIdle: (() => void) | undefined;
  /** Set when no further call may join. */
  over = false;

  constructor(around: Surroundings, wire: Wire, onOver: (closing?: Promise<void>) => void) {
    this.#around = around;
    this.#wire = wire;
    this.#writer = new InputWriter(wire, around.blobs);
    this.#writer.onFailure = (error) => this.#refused(error);
    this.#onOver = onOver;
    this.#usedAt = around.now();
  }

  /** Submits the job; calls made meanwhile wait. */
  open(code: TaskCode, options: JobOptions): void {
    this.#opening = this.#open(code, options);
  }

  async #open(code: TaskCode, options: JobOptions): Promise<void> {
    try {
      // Its calls have nothing to do with each other: twenty that fail are no reason to stop the next.
      const body = await submitBody(this.#around, code, { maxFailures: Number.MAX_SAFE_INTEGER, ...options });
      const { job } = await submit(this.#wire, body);
      this.#job = job;
      this.#writer.start(job);
      this.#stream = this.#wire.openStream(
        { kind: 'results', job, order: 'completion', credit: RESULT_WINDOW_BYTES },
        {
          quiet: true,
          batch: (batch) => this.#batch(batch),
          mark: () => {},
          ended: (progress) =>
            this.#end(
              new FarmError('closed', `job ${job} ended before it ran this (${progress.reason ?? progress.state})`),
            ),
          failed: (error) => this.#end(error),
        },
      );
      this.#planIdle(RUN_JOB_IDLE);
      this.#flush();
    } catch (error) {
      this.#end(error as Error);
    }
  }

  /** Undefined: the input is a large one and needs a job of its own. Throws a ValueError if it can't be sent. */
  run(input: unknown): Promise<unknown> | undefined {
    const index = this.#writer.next;
    if (!this.#writer.addSmall(input)) return undefined;
    return new Promise((resolve, reject) => {
      this.#calls.set(index, { resolve, reject });
      this.#wire.hold();
      if (this.#writer.isFull) return this.#flush();
      if (this.#flushing) return;
      this.#flushing = true;
      this.#around.defer(() => this.#flush());
    });
  }

  /** Resolves when what was called is on the server's disk and the job takes no more. */
  async close(): Promise<void> {
    this.over = true;
    this.#cancelIdle?.();
    this.#flush();
    await this.#opening;
    if (this.#job === 0 || this.#wire.ended !== undefined) return;
    if (this.#stream !== undefined && this.#calls.size === 0) this.#wire.closeStream(this.#stream);
    await this.#wire.request({ kind: 'close', job: this.#job, total: this.#writer.next });
  }

  #flush(): void {
    this.#flushing = false;
    this.#usedAt = this.#around.now();
    this.#writer.flush();
  }

  /** Inputs have their places, so nothing can follow one that was refused; and nothing an outcome that can't be read. */
  #refused(error: Error): void {
    this.#end(error);
    if (this.#stream !== undefined) this.#wire.closeStream(this.#stream);
    this.#wire.request({ kind: 'act', job: this.#job, action: 'cancel' }).catch(() => {});
  }

  #batch(batch: StreamBatch): void {
    let outcomes: Outcomes;
    try {
      outcomes = readOutcomes(this.#job, batch);
    } catch (error) {
      return this.#refused(error as Error);
    }
    let position = 0;
    for (const run of batch.runs) {
      for (let index = run.start; index < run.start + run.count; index++) this.#answer(outcomes, position++, index);
    }
    if (this.#stream !== undefined) this.#wire.consumed(this.#stream, batch.bytes);
  }

  #answer(outcomes: Outcomes, position: number, index: number): void {
    const call = this.#calls.get(index);
    if (call === undefined) return;
    this.#calls.delete(index);
    this.#wire.release();
    const error = failureAt(outcomes, position, index);
    if (error !== undefined) return call.reject(error);
    const blob = blobAt(outcomes, position);
    if (blob === undefined) return call.resolve(outcomes.values[position]);
    this.#around.blobs.get(blob.ref).then((bytes) => call.resolve(valueOfBlob(blob, bytes)), call.reject);
  }

  #end(error: Error): void {
    this.over = true;
    this.#cancelIdle?.();
    for (const call of this.#calls.values()) {
      this.#wire.release();
      call.reject(error);
    }
    this.#calls.clear();
    this.#onOver();
  }

  /** Looks once in a while instead of setting an alarm for each call. */
  #planIdle(delay: number): void {
    this.#cancelIdle = this.#around.alarm(delay, () => {
      const left = this.#usedAt + RUN_JOB_IDLE - this.#around.now();
      if (left > 0 || this.#calls.size > 0) return this.#planIdle(Math.max(left, 1_000));
      this.#onOver(this.close());
    });
  }
}
