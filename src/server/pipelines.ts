import { isFailure, type PackedColumn, ValueStatus } from '../model/envelope.ts';
import type { JobId, TaskIndex } from '../model/ids.ts';
import { hasEnded, type JobSpec } from '../model/job.ts';
import { BLOCK_BYTES, BLOCK_TASKS } from '../model/limits.ts';
import { PIPELINE_RETRY } from '../model/pipeline-limits.ts';
import { pushRun, type Run } from '../model/runs.ts';
import { joinColumns, readColumn, selectColumn, sliceColumn, statusOf } from '../protocol/column.ts';
import type { Clock } from './clock.ts';
import type { Core } from './core.ts';
import { InOrder } from './in-order.ts';
import { RequestError } from './requests.ts';
import { ResultInbox } from './result-inbox.ts';
import type { Submissions } from './submissions.ts';

/** What it needs of the server's inside beside reading. */
export interface PipelineActs {
  /** Of several servers one does it. */
  isMine(): boolean;
  addInputs: Submissions['addInputs'];
  close(job: JobId, total: number): Promise<void>;
  cancel(job: JobId, reason: string): Promise<void>;
}

/**
 * Jobs that come after others (R31). Whether they may begin is the scheduler's to know; here is what it cannot see: how
 * those ended that are not open any more, and the way of results to the job that takes them as inputs.
 */
export class Pipelines {
  readonly #core: Core;
  readonly #clock: Clock;
  readonly #acts: PipelineActs;
  readonly #begun = new Map<JobId, JobSpec>();
  readonly #inboxes = new Set<ResultInbox>();
  #stopped = false;

  constructor(parts: { core: Core; clock: Clock; acts: PipelineActs }) {
    this.#core = parts.core;
    this.#clock = parts.clock;
    this.#acts = parts.acts;
  }

  /** Before there is such a job: what it names is there, and can still end well. */
  async check({ after = [], source }: Pick<JobSpec, 'after' | 'source'>): Promise<void> {
    for (const id of source === undefined ? after : [...after, source]) {
      const known = await this.#core.readJob(id);
      if (known === undefined) throw new RequestError('invalid', `there is no job ${id} to come after`);
      const { state } = known.progress;
      if (hasEnded(state) && state !== 'done')
        throw new RequestError('conflict', `job ${id} ${inWords(state)}: nothing can come after it`);
    }
  }

  /** The job is on disk: it was submitted just now, or was there when the server started. */
  begin(job: JobId, spec: JobSpec): void {
    if ((spec.after === undefined && spec.source === undefined) || this.#begun.has(job)) return;
    this.#begun.set(job, spec);
    void this.#attend(job, spec).finally(() => this.#begun.delete(job));
  }

  /** Nobody else adds to the inputs that another job's results are. */
  async byHand(job: JobId, act: () => Promise<void>): Promise<void> {
    // Another server may be the one that feeds it.
    const source = (this.#begun.get(job) ?? this.#core.live.spec(job))?.source;
    if (source === undefined) return act();
    throw new RequestError('conflict', `the inputs of job ${job} are the results of job ${source}`);
  }

  /** Another job still takes its results. */
  feeds(source: JobId): boolean {
    for (const spec of this.#begun.values()) if (spec.source === source) return true;
    const { live } = this.#core;
    return live.ids.some((id) => live.spec(id)?.source === source && live.get(id)?.progress.open === true);
  }

  stop(): void {
    this.#stopped = true;
    for (const inbox of this.#inboxes) inbox.close();
  }

  /** Until it is done, or the job has ended; a store that takes nothing now is tried again, and so is what another server does meanwhile. */
  async #attend(job: JobId, spec: JobSpec): Promise<void> {
    while (!this.#stopped) {
      try {
        if (!this.#acts.isMine()) throw new NotMine();
        const gone = await this.#gone(spec);
        if (gone !== undefined) return await this.#acts.cancel(job, gone);
        if (spec.source !== undefined) await this.#feed(job, spec.source);
        return;
      } catch (error) {
        const isExpected = error instanceof RequestError || error instanceof NotMine;
        if (!isExpected && !this.#stopped) this.#core.onFault(error);
      }
      const known = await this.#core.readJob(job).catch(() => 'unknown' as const);
      // It may have been forgotten, or lost (D25).
      if (known === undefined || (known !== 'unknown' && hasEnded(known.progress.state))) return;
      await new Promise<void>((resolve) => this.#clock.alarm(PIPELINE_RETRY, resolve));
    }
  }

  /** Why it can never begin: one that it comes after ended otherwise before this job was known. */
  async #gone({ after = [], source }: JobSpec): Promise<string | undefined> {
    for (const id of after) {
      const state = (await this.#core.readJob(id))?.progress.state;
      if (state === 'failed' || state === 'cancelled') return `job ${id}, which it comes after, ${inWords(state)}`;
    }
    if (source === undefined) return undefined;
    const state = (await this.#core.readJob(source))?.progress.state;
    if (state === undefined) return `job ${source}, whose results it takes, was forgotten`;
    return state === 'failed' || state === 'cancelled'
      ? `job ${source}, whose results it takes, ${inWords(state)}`
      : undefined;
  }

  /**
   * Results in the order of their tasks become inputs. What is there already was taken from the same results in the same
   * order, so a start anew leaves out as many.
   */
  async #feed(job: JobId, source: JobId): Promise<void> {
    const known = await this.#core.readJob(job);
    if (known === undefined || hasEnded(known.progress.state) || !known.progress.open) return;
    const feed = new Gatherer(known.progress.total, async (first, count, column) => {
      if (!this.#acts.isMine()) throw new NotMine();
      await this.#acts.addInputs(job, first, count, column);
    });
    const inbox = await ResultInbox.open(this.#core, source, {
      order: 'index',
      after: 0,
      follow: true,
      defined: false,
    });
    const stopWatching = this.#core.readers.watch(job, ({ state }) => {
      if (hasEnded(state)) inbox.close();
    });
    this.#inboxes.add(inbox);
    try {
      const order = new InOrder(this.#core.store, 0);
      for await (const arrival of inbox) {
        if (arrival.kind === 'batch') order.add(arrival.stored);
        const ready = arrival.kind === 'batch' ? order.ready() : order.upTo(arrival.next);
        for await (const { column } of ready) await feed.take(column);
        if (!inbox.waiting) await feed.flush();
      }
      await feed.flush();
    } finally {
      stopWatching();
      inbox.close();
      this.#inboxes.delete(inbox);
    }
    const end = (await this.#core.readJob(source))?.progress;
    if (end?.state === 'done') await this.#acts.close(job, feed.next);
  }
}

/** Another server came first since it was begun: two that add the same inputs would only get in each other's way. */
class NotMine extends Error {}

/** Gathers values until they are worth a block, or nothing more is there. */
class Gatherer {
  next: TaskIndex;
  #leaveOut: number;
  #parts: PackedColumn[] = [];
  #count = 0;
  #bytes = 0;
  readonly #add: (first: TaskIndex, count: number, column: PackedColumn) => Promise<void>;

  constructor(there: number, add: (first: TaskIndex, count: number, column: PackedColumn) => Promise<void>) {
    this.next = there;
    this.#leaveOut = there;
    this.#add = add;
  }

  async take(results: PackedColumn): Promise<void> {
    const values = inputsAmong(results);
    const { count } = readColumn(values);
    const left = Math.min(count, this.#leaveOut);
    this.#leaveOut -= left;
    if (left === count) return;
    const wanted = left === 0 ? values : sliceColumn(readColumn(values), left, count);
    const bytes = readColumn(wanted).bytes.length;
    if (this.#count + count - left > BLOCK_TASKS || this.#bytes + bytes > BLOCK_BYTES) await this.flush();
    this.#parts.push(wanted);
    this.#count += count - left;
    this.#bytes += bytes;
  }

  async flush(): Promise<void> {
    if (this.#count === 0) return;
    const [first, count, column] = [this.next, this.#count, joinColumns(this.#parts)];
    this.#parts = [];
    this.#count = 0;
    this.#bytes = 0;
    await this.#add(first, count, column);
    this.next += count;
  }
}

/** The values that are neither failures nor undefined. */
function inputsAmong(results: PackedColumn): PackedColumn {
  const column = readColumn(results);
  const positions: Run[] = [];
  let kept = 0;
  for (let i = 0; i < column.count; i++) {
    const status = statusOf(column, i);
    if (isFailure(status) || (status === ValueStatus.json && column.lengths[i] === 0)) continue;
    pushRun(positions, i, 1);
    kept += 1;
  }
  return kept === column.count ? results : selectColumn(column, positions);
}

function inWords(state: string): string {
  return state === 'failed' ? 'failed' : 'was cancelled';
}
