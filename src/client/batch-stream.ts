import type { JobProgress } from '../model/job.ts';
import { RESULT_WINDOW_BYTES } from '../model/limits.ts';
import { countRuns } from '../model/runs.ts';
import type { Pace } from './pace.ts';
import type { StreamBatch } from './session-io.ts';
import type { Wire } from './wire.ts';

/** What comes out of a stream: a batch, or, in index order, the news that nothing below `next` will come any more. */
export type StreamItem =
  | { readonly kind: 'batch'; readonly batch: StreamBatch }
  | { readonly kind: 'mark'; readonly next: number };

export interface StreamQuery {
  readonly order: 'completion' | 'index';
  readonly after: number;
  readonly defined: boolean;
}

/** One result stream as something to take from. What is not taken is bounded by the credit that the server was given. */
export class BatchStream {
  readonly #wire: Wire;
  readonly #number: number;
  readonly #queue: StreamItem[] = [];
  #at = 0;
  #over: { progress?: JobProgress; error?: Error } | undefined;
  #wake: (() => void) | undefined;
  /** Undefined: what was taken can't be told, or nobody wants to know. */
  readonly #pace: Pace | undefined;
  readonly #left: (() => void) | undefined;
  /** Tasks of which everything was taken. */
  #taken: number;

  constructor(wire: Wire, job: number, { order, after, defined }: StreamQuery, pace?: Pace) {
    this.#wire = wire;
    // In completion order, where undefined values are left out nobody hears of them, and a cursor counts segments.
    this.#pace = order === 'completion' && (defined || after > 0) ? undefined : pace;
    this.#left = this.#pace?.reading();
    this.#taken = after;
    const body = { kind: 'results', job, order, after, credit: RESULT_WINDOW_BYTES } as const;
    this.#number = wire.openStream(defined ? { ...body, defined } : body, {
      batch: (batch) => this.#put({ kind: 'batch', batch }),
      mark: (next) => this.#put({ kind: 'mark', next }),
      ended: (progress) => this.#end({ progress }),
      failed: (error) => this.#end({ error }),
    });
  }

  /** The next item if there is one now. Taking a batch lets the server send as many bytes more. */
  take(): StreamItem | undefined {
    const item = this.#queue[this.#at];
    if (item === undefined) return undefined;
    this.#at += 1;
    if (this.#at === this.#queue.length) {
      this.#queue.length = 0;
      this.#at = 0;
    }
    if (item.kind === 'batch') this.#wire.consumed(this.#number, item.batch.bytes);
    if (this.#pace !== undefined) {
      if (item.kind === 'batch') this.#taken += countRuns(item.batch.runs);
      else this.#taken = Math.max(this.#taken, item.next);
      this.#pace.read(this.#taken);
    }
    return item;
  }

  /** Resolves when there is something to take or the stream is over. */
  async arrival(): Promise<void> {
    if (this.#queue.length > 0 || this.#over !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Set once everything was taken: how the job stands, if it has ended. Throws if the stream broke. */
  get end(): { progress: JobProgress | undefined } | undefined {
    if (this.#queue.length > 0 || this.#over === undefined) return undefined;
    if (this.#over.error !== undefined) throw this.#over.error;
    return { progress: this.#over.progress };
  }

  close(): void {
    if (this.#over === undefined) this.#wire.closeStream(this.#number);
    this.#queue.length = 0;
    this.#at = 0;
    this.#end({});
  }

  #put(item: StreamItem): void {
    this.#queue.push(item);
    this.#notify();
  }

  #end(how: { progress?: JobProgress; error?: Error }): void {
    if (this.#over === undefined) {
      this.#over = how;
      this.#left?.();
    }
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
