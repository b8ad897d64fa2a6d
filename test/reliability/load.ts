import { setTimeout as sleep } from 'node:timers/promises';
import type { Farm } from '../../src/index.ts';
import type { Counter } from './counter.ts';
import { type Journal, outcomeOf, type Told } from './journal.ts';

interface Context {
  readonly key: string;
  readonly attempt: string;
}

/** Each runs as a text of its own, far from this file. */
function square(input: number, ctx: Context): Told {
  if (input % 97 === 96) throw new RangeError(`no ${input}, said ${ctx.attempt}`);
  return { square: input * input, key: ctx.key, attempt: ctx.attempt };
}

async function slowSquare(input: number, ctx: Context): Promise<Told> {
  await new Promise((resolve) => setTimeout(resolve, 10));
  if (input % 97 === 96) throw new RangeError(`no ${input}, said ${ctx.attempt}`);
  return { square: input * input, key: ctx.key, attempt: ctx.attempt };
}

interface LongInput {
  readonly url: string;
  readonly millis: number;
}

async function long({ url, millis }: LongInput, ctx: Context): Promise<{ key: string; attempt: string }> {
  await fetch(`${url}/${ctx.key}/${ctx.attempt}`);
  await new Promise((resolve) => setTimeout(resolve, millis));
  return { key: ctx.key, attempt: ctx.attempt };
}

/** The label of the only worker that runs the long tasks: no other one may help out with a second copy. */
export const LONG_LANE = { lane: 'long' };

/**
 * What a client does to a farm while it is being broken: jobs from iterables with their results streaming, single runs,
 * cancels, and tasks that outlive the server. Everything that it is told goes into the journal.
 */
export class Load {
  readonly #farm: Farm;
  readonly #journal: Journal;
  readonly #counter: Counter;
  readonly #loops: Promise<void>[];
  longTasks = 0;
  #stopping = false;
  #inputs: number;

  constructor(farm: Farm, journal: Journal, counter: Counter) {
    this.#farm = farm;
    this.#journal = journal;
    this.#counter = counter;
    // Those of one client are not those of another.
    this.#inputs = Math.floor(Math.random() * 1_000) * 100_000;
    const actions = [this.#stream, this.#single, this.#cancel, this.#endure];
    this.#loops = actions.map((action) => this.#repeat(action.bind(this)));
  }

  /** Resolves when everything begun has come to its end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops);
  }

  /** Rejects as soon as something goes wrong. */
  get failed(): Promise<unknown> {
    return Promise.all(this.#loops);
  }

  async #repeat(action: () => Promise<void>): Promise<void> {
    while (!this.#stopping) await action();
  }

  #next(count: number): number[] {
    this.#inputs += count;
    return Array.from({ length: count }, (_, at) => this.#inputs - count + at);
  }

  async #stream(): Promise<void> {
    const inputs = this.#next(300);
    const job = await this.#farm.map(square, trickle(inputs), { name: 'stream' });
    this.#journal.job(job.id, 'stream', inputs);
    const submitted = job.submitted.then(() => this.#journal.submitted(job.id));
    for await (const record of job.results({ ordered: false })) {
      if (record.status !== 'cancelled') this.#journal.outcome(job.id, record.index, outcomeOf(record));
    }
    await submitted;
  }

  async #single(): Promise<void> {
    const [input = 0] = this.#next(1);
    if (input % 97 === 96) return;
    const told = await this.#farm.run(square, input, { name: 'single' });
    const [, job = '0', index = '0'] = told.key.split('-');
    this.#journal.job(Number(job), 'single', undefined);
    this.#journal.outcome(Number(job), Number(index), outcomeOf({ index: 0, status: 'done', value: told }));
    await sleep(5);
  }

  async #cancel(): Promise<void> {
    const inputs = this.#next(400);
    const job = await this.#farm.map(slowSquare, inputs, { name: 'cancelled' });
    this.#journal.job(job.id, 'cancelled', inputs);
    await sleep(100 + Math.random() * 400);
    await job.cancel();
    this.#journal.cancelled(job.id);
    for await (const record of job.results({ ordered: false })) {
      if (record.status !== 'cancelled') this.#journal.outcome(job.id, record.index, outcomeOf(record));
    }
  }

  /** Two at a time, each longer than most lives of the server. That they are started once shows that they go on. */
  async #endure(): Promise<void> {
    const inputs = Array.from({ length: 2 }, () => ({ url: this.#counter.url, millis: 1_500 }));
    const job = await this.#farm.map(long, inputs, { name: 'long', requires: LONG_LANE });
    this.longTasks += inputs.length;
    await job.values();
  }
}

/** As a program that reads them from somewhere yields its inputs. */
async function* trickle(inputs: readonly number[]): AsyncGenerator<number> {
  for (const [at, input] of inputs.entries()) {
    if (at % 25 === 24) await sleep(1);
    yield input;
  }
}
