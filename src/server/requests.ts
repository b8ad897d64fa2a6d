import type { PackedColumn } from '../model/envelope.ts';
import type { Write } from '../model/records.ts';
import type { Answer } from '../scheduler/commands.ts';
import type { Event } from '../scheduler/events.ts';
import type { StoreError } from '../store/store.ts';
import type { Effect } from './group.ts';
import type { Loop } from './loop.ts';

/** A request that could not be done: `code` for programs, `message` for people. */
export class RequestError extends Error {
  readonly code: 'unknown' | 'conflict' | 'invalid' | 'forbidden' | 'full' | 'busy' | 'tooLarge';

  constructor(code: RequestError['code'], message: string) {
    super(message);
    this.name = 'RequestError';
    this.code = code;
  }
}

interface Waiting {
  resolve: (answer: Answer) => void;
  reject: (error: RequestError) => void;
}

/** What was asked of the scheduler and waits for its answer, which comes once what it did is on disk. */
export class Requests {
  readonly #loop: Loop;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Rejects with a {@link RequestError} where the scheduler refuses, or where it could not be written down. */
  async ask(event: (request: number) => Event, column?: PackedColumn, extra?: readonly Write[]): Promise<void> {
    const request = ++this.#last;
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject });
      if (this.#loop.post(event(request), column, extra)) return;
      this.#waiting.delete(request);
      reject(notNow(this.#loop.trouble));
    });
    if (!answer.ok) throw new RequestError(answer.code, answer.message);
  }

  answered({ request, answer }: Extract<Effect, { kind: 'reply' }>): void {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    waiting?.resolve(answer);
  }

  /** The group that held their effects was not committed. */
  notSaved(error: StoreError, effects: readonly Effect[]): void {
    const reason = notNow(error);
    for (const effect of effects) {
      if (effect.kind !== 'reply') continue;
      this.#waiting.get(effect.request)?.reject(reason);
      this.#waiting.delete(effect.request);
    }
  }
}

/** What they hear who asked for something that could not be saved. */
export function notNow(cause: StoreError | undefined): RequestError {
  if (cause?.code === 'full') return new RequestError('full', `not saved, since there is no room: ${cause.message}`);
  const why = cause === undefined ? 'the server is stopping or its store is busy' : cause.message;
  return new RequestError('busy', `not saved: ${why}; try again`);
}
