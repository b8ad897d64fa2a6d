import assert from 'node:assert/strict';
import type { Farm } from '../../src/index.ts';

/** What a task of the load gives: enough to tell which execution it was. */
export interface Told {
  readonly square: number;
  /** Names the task, and is the same in every attempt. */
  readonly key: string;
  /** Names the execution. */
  readonly attempt: string;
}

/** An outcome in one line: which one it was, not only of which task. */
export type Outcome = string;

interface Entry {
  readonly name: string;
  /** What the inputs are; undefined for jobs that single runs share. */
  readonly inputs: readonly number[] | undefined;
  /** All inputs were acknowledged. */
  submitted: boolean;
  /** A cancel was acknowledged. */
  cancelled: boolean;
  readonly outcomes: Map<number, Outcome>;
}

/** Where the tasks of the load fail. */
export function fails(input: number): boolean {
  return input % 97 === 96;
}

/** Everything that a client was told by a farm, kept by the client itself. What is in here must be true for ever. */
export class Journal {
  readonly jobs = new Map<number, Entry>();
  /** How many things were acknowledged. */
  acked = 0;

  job(id: number, name: string, inputs: readonly number[] | undefined): Entry {
    const known = this.jobs.get(id);
    if (known !== undefined) {
      assert.equal(known.name, name, `job ${id} was acknowledged twice, for two jobs`);
      return known;
    }
    this.acked += 1;
    const entry = { name, inputs, submitted: false, cancelled: false, outcomes: new Map() };
    this.jobs.set(id, entry);
    return entry;
  }

  submitted(id: number): void {
    this.acked += 1;
    this.#entry(id).submitted = true;
  }

  cancelled(id: number): void {
    this.acked += 1;
    this.#entry(id).cancelled = true;
  }

  outcome(id: number, index: number, outcome: Outcome): void {
    const { outcomes } = this.#entry(id);
    const before = outcomes.get(index);
    assert.ok(before === undefined || before === outcome, `task ${id}/${index} was told twice: ${before}, ${outcome}`);
    if (before === undefined) this.acked += 1;
    outcomes.set(index, outcome);
  }

  /** Compares with what the farm says now, when every job has ended. Returns how many tasks there were. */
  async compare(farm: Farm): Promise<number> {
    let tasks = 0;
    for (const [id, entry] of this.jobs) tasks += await compareJob(farm, id, entry);
    return tasks;
  }

  /** The outcomes that have been acknowledged up to now, by job and index. */
  outcomes(): Map<number, Map<number, Outcome>> {
    return new Map([...this.jobs].map(([id, { outcomes }]) => [id, new Map(outcomes)]));
  }

  #entry(id: number): Entry {
    const entry = this.jobs.get(id);
    if (entry === undefined) throw new Error(`nothing was acknowledged of job ${id}`);
    return entry;
  }
}

async function compareJob(farm: Farm, id: number, { name, inputs, submitted, cancelled, outcomes }: Entry) {
  const job = farm.job(id);
  const { spec, progress } = await job.status();
  const where = `job ${id} (${name}, ${progress.state})`;
  assert.equal(spec.name, name, where);
  assert.ok(progress.endedAt !== undefined, `${where} has no end`);
  assert.equal(progress.done + progress.failed + progress.cancelled, progress.total, `${where}: tasks without an end`);
  if (submitted && inputs !== undefined) assert.equal(progress.total, inputs.length, `${where}: inputs`);
  // A job may have ended by itself before it was cancelled.
  if (progress.cancelled > 0) assert.ok(cancelled, `${where}: cancelled, which nobody asked for`);
  if (progress.state === 'cancelled') assert.ok(cancelled, where);
  const found = new Map<number, Outcome>();
  for await (const record of job.results({ ordered: false })) {
    if (record.status === 'cancelled') continue;
    assert.ok(!found.has(record.index), `${where}: task ${record.index} was recorded twice`);
    found.set(record.index, outcomeOf(record));
    if (inputs !== undefined) checkValue(`${where}, task ${record.index}`, record, id, inputs[record.index] as number);
  }
  assert.equal(found.size, progress.done + progress.failed, `${where}: outcomes`);
  for (const [index, outcome] of outcomes) {
    assert.equal(
      found.get(index),
      outcome,
      `${where}: the outcome of task ${index} was acknowledged, and is another now`,
    );
  }
  return progress.total;
}

type Ended =
  | { readonly index: number; readonly status: 'done'; readonly value: unknown }
  | { readonly index: number; readonly status: 'failed'; readonly error: Error };

export function outcomeOf(record: Ended): Outcome {
  if (record.status === 'failed') return `failed ${record.error.message}`;
  const { square, key, attempt } = record.value as Told;
  return `done ${square} ${key} ${attempt}`;
}

function checkValue(where: string, record: Ended, job: number, input: number): void {
  if (record.status === 'failed') {
    assert.ok(fails(input), `${where} failed: ${record.error.message}`);
    assert.match(record.error.message, new RegExp(`: no ${input}, said [\\d-]+$`), where);
    return;
  }
  assert.ok(!fails(input), `${where} is done, though it throws`);
  const { square, key } = record.value as Told;
  assert.equal(square, input * input, where);
  assert.match(key, new RegExp(`-${job}-${record.index}$`), where);
}
