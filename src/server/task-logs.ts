import type { JobId } from '../model/ids.ts';
import { JOB_LOG_BYTES } from '../model/limits.ts';
import type { LogRecord } from '../model/records.ts';
import type { Clock } from './clock.ts';
import type { Loop } from './loop.ts';

/** Console output of tasks on its way to disk, bounded for each job; what is over the bound is dropped, and said so once. */
export class TaskLogs {
  readonly #loop: Loop;
  readonly #clock: Clock;
  readonly #bytes = new Map<JobId, number>();

  constructor(loop: Loop, clock: Clock) {
    this.#loop = loop;
    this.#clock = clock;
  }

  add(log: Omit<LogRecord, 'at'>): void {
    const before = this.#bytes.get(log.job) ?? 0;
    if (before > JOB_LOG_BYTES) return;
    const after = before + Buffer.byteLength(log.text);
    this.#bytes.set(log.job, after);
    const text =
      after > JOB_LOG_BYTES
        ? `(this job has printed ${JOB_LOG_BYTES} bytes: the rest of its output is not kept)\n`
        : log.text;
    const record: LogRecord = { ...log, text, at: this.#clock.wall() };
    // Output is not worth an error of its own: if the disk is full, the outcomes will say so.
    this.#loop.write([{ kind: 'log', log: record }]).catch(() => {});
  }

  forget(job: JobId): void {
    this.#bytes.delete(job);
  }
}
