import { ValueStatus } from '../../model/envelope.ts';
import type { JobId, LeaseId, TaskIndex, WorkerId } from '../../model/ids.ts';
import type { JobProgress, JobSpec } from '../../model/job.ts';
import type { AttemptRecord, SegmentRecord } from '../../model/records.ts';
import { indexesOf, type Run } from '../../model/runs.ts';
import { readColumn, statusOf } from '../../protocol/column.ts';
import { failedRuns } from '../../store/reopen.ts';
import { Chain } from './chain.ts';
import { Family } from './family.ts';
import type { JobPlan } from './plan.ts';
import { numberOf, resultFor } from './tasks.ts';

const decoder = new TextDecoder();

interface Wrong {
  readonly rule: string;
  readonly what: string;
}

/** What is known of a job by the rows that reached the disk, counted independently of the scheduler. */
export class SeenJob {
  readonly id: JobId;
  readonly number: number;
  readonly plan: JobPlan;
  readonly spec: JobSpec;
  progress: JobProgress;
  generation = 0;
  /** For each task the generation in which it was recorded, plus one; 0: not recorded, or open again. */
  #recorded = new Uint8Array(64);
  readonly #failed = new Set<TaskIndex>();
  /** Failures of each task in this generation. */
  readonly #failures = new Map<TaskIndex, number>();
  /** `lease/index` of failures that were written down, in any generation. */
  readonly #attempts = new Set<string>();
  /** Distinct workers that were lost under a task. */
  readonly #lost = new Map<TaskIndex, Set<WorkerId>>();
  done = 0;
  failed = 0;
  segments = 0;
  family: Family;
  chain = new Chain();
  readonly #plans: readonly JobPlan[];

  constructor(id: JobId, spec: JobSpec, progress: JobProgress, plans: readonly JobPlan[]) {
    this.id = id;
    this.spec = spec;
    this.progress = progress;
    this.number = numberOf(spec.name);
    this.plan = plans[this.number] as JobPlan;
    this.family = new Family(this.plan, this.number);
    this.#plans = plans;
  }

  copy(): SeenJob {
    const copy = new SeenJob(this.id, this.spec, this.progress, this.#plans);
    const { generation, done, failed, segments } = this;
    Object.assign(copy, { generation, done, failed, segments, family: this.family.copy(), chain: this.chain.copy() });
    copy.#recorded = this.#recorded.slice();
    for (const index of this.#failed) copy.#failed.add(index);
    for (const [index, failures] of this.#failures) copy.#failures.set(index, failures);
    for (const attempt of this.#attempts) copy.#attempts.add(attempt);
    for (const [index, workers] of this.#lost) copy.#lost.set(index, new Set(workers));
    return copy;
  }

  /** Tasks that are recorded. */
  *recorded(): Generator<TaskIndex> {
    for (let index = 0; index < this.#recorded.length; index++) if (this.has(index)) yield index;
  }

  has(index: TaskIndex): boolean {
    return (this.#recorded[index] ?? 0) > 0;
  }

  hasFailed(index: TaskIndex): boolean {
    return this.#failed.has(index);
  }

  /** It has been recorded, or its failure by this lease has. */
  knows(lease: LeaseId, index: TaskIndex): boolean {
    return this.has(index) || this.#attempts.has(`${lease}/${index}`);
  }

  /** Task that has failed more often than it may, with how often. */
  *overcharged(): Generator<{ index: TaskIndex; failures: number }> {
    for (const [index, failures] of this.#failures) if (failures > this.spec.retries + 1) yield { index, failures };
  }

  /** `blobs`: those that the job refers to on disk. Returns what is wrong with it. */
  record(segment: SegmentRecord, column: Uint8Array, blobs: ReadonlySet<string>): Wrong | undefined {
    const failed = new Set<TaskIndex>();
    for (const index of indexesOf(failedRuns(segment))) failed.add(index);
    this.segments += 1;
    this.failed += failed.size;
    for (const index of indexesOf(segment.runs)) {
      if (this.has(index)) return { rule: 'S1', what: `task ${this.id}/${index} was recorded twice` };
      this.#mark(index);
      if (failed.has(index)) this.#fail(index, segment);
      else this.#succeed(index);
    }
    return this.#checkValues(segment.runs, failed, column, blobs);
  }

  #succeed(index: TaskIndex): void {
    this.done += 1;
    this.family.done(index);
  }

  #mark(index: TaskIndex): void {
    if (index >= this.#recorded.length) {
      const larger = new Uint8Array(Math.max(index + 1, 2 * this.#recorded.length));
      larger.set(this.#recorded);
      this.#recorded = larger;
    }
    this.#recorded[index] = this.generation + 1;
  }

  #fail(index: TaskIndex, segment: SegmentRecord): void {
    this.#failed.add(index);
    this.#attempts.add(`${segment.lease}/${index}`);
    // Poison is nobody's failure.
    if (segment.worker !== '') this.#failures.set(index, (this.#failures.get(index) ?? 0) + 1);
  }

  #checkValues(
    runs: readonly Run[],
    failed: ReadonlySet<TaskIndex>,
    packed: Uint8Array,
    blobs: ReadonlySet<string>,
  ): Wrong | undefined {
    const column = readColumn(packed);
    const text = decoder.decode(column.bytes);
    let position = 0;
    let at = 0;
    for (const index of indexesOf(runs)) {
      const status = statusOf(column, position);
      const end = at + (column.lengths[position] as number);
      const told = text.slice(at, end);
      at = end;
      position += 1;
      const wrong = this.#wrong(index, status, told, failed.has(index), blobs);
      if (wrong !== undefined) return { ...wrong, what: `task ${this.id}/${index}: ${wrong.what}` };
    }
    return undefined;
  }

  #wrong(index: TaskIndex, status: number, told: string, failed: boolean, blobs: ReadonlySet<string>) {
    if (failed !== status >= ValueStatus.failed)
      return { rule: 'S3', what: `status ${status} is recorded as ${failed ? 'failed' : 'done'}` };
    if (status === ValueStatus.poison && !this.#lost.has(index))
      return { rule: 'S9', what: 'it is poison, but no worker was lost under it' };
    if (failed) return undefined;
    const result = resultFor(this.plan, this.number, this.family.at(index));
    if (status !== result.status || told !== result.text)
      return { rule: 'S3', what: `it is recorded as ${status} ${told}, but was ${result.status} ${result.text}` };
    if (result.blob !== undefined && !blobs.has(result.blob.sha256))
      return { rule: 'S5', what: 'nothing keeps the blob of its result' };
    return undefined;
  }

  attempt({ index, lease, outcome, worker }: AttemptRecord): void {
    if (outcome === 'lost') {
      let workers = this.#lost.get(index);
      if (workers === undefined) this.#lost.set(index, (workers = new Set()));
      workers.add(worker);
      return;
    }
    // Nothing is wrong with it: another copy had ended the task.
    if (outcome === 'superseded') return;
    this.#attempts.add(`${lease}/${index}`);
    this.#failures.set(index, (this.#failures.get(index) ?? 0) + 1);
  }

  reopen(progress: JobProgress): void {
    this.generation = progress.generation;
    this.progress = progress;
    for (const index of this.#failed) this.#recorded[index] = 0;
    this.#failed.clear();
    this.#failures.clear();
    this.failed = 0;
  }
}
