import type { JobId } from '../model/ids.ts';
import { RESULT_WINDOW_BYTES } from '../model/limits.ts';
import type { StoredSegment } from '../store/store.ts';
import type { Core } from './core.ts';
import type { ResultStream } from './result-stream.ts';

export type Order = 'index' | 'completion';

export type Arrival =
  | { readonly kind: 'batch'; readonly stored: StoredSegment; readonly cursor: number }
  | { readonly kind: 'mark'; readonly next: number };

/** What a result stream has sent and the reader has not taken; never more than the credit. */
export class ResultInbox implements AsyncIterable<Arrival> {
  readonly #core: Core;
  readonly #arrived: Arrival[] = [];
  #stream: ResultStream | undefined;
  #taken = 0;
  #over = false;
  #error: unknown;
  #wake: () => void = () => {};

  private constructor(core: Core) {
    this.#core = core;
  }

  static async open(
    core: Core,
    job: JobId,
    query: { order: Order; after: number; follow: boolean; defined: boolean },
  ): Promise<ResultInbox> {
    const inbox = new ResultInbox(core);
    const { order, after, defined } = query;
    inbox.#stream = await core.openStream(
      job,
      { order, after, defined, credit: RESULT_WINDOW_BYTES },
      {
        batch: (stored, cursor) => inbox.#put({ kind: 'batch', stored, cursor }),
        mark: (next) => void inbox.#put({ kind: 'mark', next }),
        end: () => inbox.#finish(undefined),
        failed: (error) => inbox.#finish(error),
        idle: () => {
          if (!query.follow) inbox.#finish(undefined);
        },
      },
    );
    inbox.#stream.pump();
    return inbox;
  }

  /** Something has arrived that was not taken. */
  get waiting(): boolean {
    return this.#arrived.length > 0;
  }

  close(): void {
    this.#finish(undefined);
    if (this.#stream !== undefined) this.#core.readers.close(this.#stream);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Arrival> {
    for (;;) {
      const next = this.#arrived.shift();
      if (next !== undefined) {
        yield next;
        if (next.kind === 'batch') this.#giveBack(next.stored.column.length);
      } else if (this.#error !== undefined) {
        throw this.#error;
      } else if (this.#over) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Credit in few pieces, so that the store is asked for large ones. */
  #giveBack(bytes: number): void {
    this.#taken += bytes;
    if (this.#over || (this.#taken < RESULT_WINDOW_BYTES / 4 && this.#arrived.length > 0)) return;
    const credit = this.#taken;
    this.#taken = 0;
    if (credit > 0) this.#stream?.addCredit(credit);
  }

  #put(arrival: Arrival): number {
    if (this.#over) return 0;
    this.#arrived.push(arrival);
    this.#wake();
    return arrival.kind === 'batch' ? arrival.stored.column.length : 0;
  }

  #finish(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#wake();
  }
}
