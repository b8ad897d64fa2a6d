import { epochOf, type JobId, type LeaseId, type TaskIndex, type WorkerId } from '../../model/ids.ts';
import { hasEnded, type JobProgress, type JobSpec } from '../../model/job.ts';
import type { SegmentRecord, Write } from '../../model/records.ts';
import { countRuns, type Run } from '../../model/runs.ts';
import type { ServerToClient } from '../../protocol/client-messages.ts';
import { type Frame, splitFrame } from '../../protocol/frames.ts';
import { fromWireRuns } from '../../protocol/shapes.ts';
import type { ServerToWorker } from '../../protocol/worker-messages.ts';
import type { MemoryDisk } from '../../store/memory/memory-disk.ts';
import { failedRuns } from '../../store/reopen.ts';
import type { Change } from './model-disk.ts';
import type { Link } from './network.ts';
import type { ServerProcess } from './server-process.ts';
import type { World } from './world.ts';

/** What the observer knows of a job by the rows that reached the disk, counted by itself. */
interface SeenJob {
  readonly spec: JobSpec;
  progress: JobProgress;
  generation: number;
  /** One byte a task: ended in this generation or an older one that was not opened again. */
  ended: Uint8Array;
  failedTasks: Set<TaskIndex>;
  done: number;
  failed: number;
  segments: number;
}

interface SeenLease {
  readonly worker: WorkerId;
  readonly job: JobId;
  readonly runs: readonly Run[];
}

/**
 * Sees all rows that reach the disk and all messages that leave the server, and holds them to the invariants of
 * faults.md: what is recorded is recorded once (S1), what leaves is on disk (S2), only what was issued is recorded (S3),
 * counts agree (S6), nothing is recorded after an end (S8).
 */
export class Observer {
  readonly jobs = new Map<JobId, SeenJob>();
  readonly leases = new Map<LeaseId, SeenLease>();
  /** Acks `recorded` that workers could see of failures, by `job/generation/index`. */
  readonly chargedFailures = new Map<string, number>();
  /** Failures that a worker sent, so that an ack for them can be told from one for a success. */
  readonly sentFailures = new Map<LeaseId, Set<TaskIndex>>();
  readonly #keys = new Map<string, JobId>();
  readonly #world: World;
  messages = 0;

  constructor(world: World) {
    this.#world = world;
  }

  applied(change: Change, disk: MemoryDisk): void {
    if (change.verb === 'reopen') return this.#reopened(change.job, disk);
    if (change.verb === 'forget') {
      if (!disk.jobs.has(change.job)) this.jobs.delete(change.job);
      return;
    }
    if (change.verb !== 'commit') return;
    if (change.epoch !== disk.epoch)
      this.#world.fail('S12', `a commit of epoch ${change.epoch} reached the disk in epoch ${disk.epoch}`);
    const touched = new Set<JobId>();
    const progresses = new Map<JobId, JobProgress>();
    for (const write of change.writes) this.#write(write, disk, touched, progresses);
    for (const [job, progress] of progresses) this.#progress(job, progress);
    for (const job of touched) this.#recount(job);
  }

  /** A store refuses only what contradicts its data, or comes from a server whose time is over. */
  refused(change: Change, error: Error): void {
    const code = (error as { code?: string }).code;
    if (code === 'fenced') this.#world.sometimes('a stale commit was fenced off');
    else if (change.verb !== 'forget') this.#world.fail('S6', `the store refuses a ${change.verb}: ${error.message}`);
  }

  #write(write: Write, disk: MemoryDisk, touched: Set<JobId>, progresses: Map<JobId, JobProgress>): void {
    switch (write.kind) {
      case 'job':
        this.#addJob(write.job, write.spec, write.progress);
        return;
      case 'idempotency':
        this.#addKey(`${write.owner} ${write.key}`, write.job);
        return;
      case 'lease':
        this.#addLease(write.lease.lease, write.lease, disk);
        return;
      case 'segment':
        this.#addSegment(write.segment);
        touched.add(write.segment.job);
        return;
      case 'progress':
        progresses.set(write.job, write.progress);
        touched.add(write.job);
    }
  }

  #addJob(job: JobId, spec: JobSpec, progress: JobProgress): void {
    this.jobs.set(job, {
      spec,
      progress,
      generation: 0,
      ended: new Uint8Array(0),
      failedTasks: new Set(),
      done: 0,
      failed: 0,
      segments: 0,
    });
  }

  #addKey(key: string, job: JobId): void {
    const before = this.#keys.get(key);
    if (before !== undefined && before !== job)
      this.#world.fail('S1', `one idempotency key made two jobs: ${before} and ${job}`);
    this.#keys.set(key, job);
  }

  #addLease(id: LeaseId, lease: SeenLease, disk: MemoryDisk): void {
    const job = this.jobs.get(lease.job);
    if (this.leases.has(id)) this.#world.fail('S3', `lease ${id} was issued twice`);
    if (epochOf(id) !== disk.epoch) this.#world.fail('S12', `lease ${id} is of another epoch than ${disk.epoch}`);
    if (job === undefined || hasEnded(job.progress.state))
      this.#world.fail('S8', `lease ${id} of job ${lease.job}, which has ended`);
    this.leases.set(id, { worker: lease.worker, job: lease.job, runs: lease.runs });
  }

  #addSegment(segment: SegmentRecord): void {
    const job = this.jobs.get(segment.job);
    if (job === undefined) return this.#world.fail('S1', `a segment of job ${segment.job}, which is not there`);
    if (hasEnded(job.progress.state))
      this.#world.fail('S8', `outcomes of job ${segment.job} recorded after it was ${job.progress.state}`);
    if (segment.worker !== '') this.#checkIssued(segment);
    const failed = new Set<TaskIndex>();
    for (const run of failedRuns(segment)) for (let i = 0; i < run.count; i++) failed.add(run.start + i);
    for (const run of segment.runs) {
      if (run.start + run.count > job.ended.length) job.ended = grown(job.ended, run.start + run.count);
      for (let index = run.start; index < run.start + run.count; index++) {
        if (job.ended[index] === 1)
          this.#world.fail('S1', `task ${segment.job}/${index} was recorded twice in generation ${segment.generation}`);
        job.ended[index] = 1;
        if (failed.has(index)) job.failedTasks.add(index);
      }
    }
    job.segments += 1;
    job.failed += failed.size;
    job.done += countRuns(segment.runs) - failed.size;
    if (segment.generation !== job.generation)
      this.#world.fail('S1', `a segment of generation ${segment.generation} in generation ${job.generation}`);
  }

  /** S3: recorded only for tasks that were granted to that worker. */
  #checkIssued(segment: SegmentRecord): void {
    const lease = this.leases.get(segment.lease);
    if (
      lease === undefined ||
      lease.worker !== segment.worker ||
      lease.job !== segment.job ||
      !covers(lease.runs, segment.runs)
    )
      this.#world.fail('S3', `segment ${segment.seq} of job ${segment.job} is not of a lease of ${segment.worker}`);
  }

  #progress(id: JobId, progress: JobProgress): void {
    const job = this.jobs.get(id);
    if (job === undefined) return;
    if (hasEnded(job.progress.state)) {
      if (job.progress.state !== progress.state || !hasEnded(progress.state))
        this.#world.fail('S1', `job ${id} was ${job.progress.state} and is ${progress.state}`);
    }
    job.progress = progress;
  }

  /** S6: the counters in the row are those of the segments. */
  #recount(id: JobId): void {
    const job = this.jobs.get(id);
    if (job === undefined) return;
    const { progress } = job;
    const agree = progress.done === job.done && progress.failed === job.failed && progress.segments === job.segments;
    if (!agree)
      this.#world.fail(
        'S6',
        `job ${id} says ${progress.done} done, ${progress.failed} failed, ${progress.segments} segments; there are ${job.done}, ${job.failed}, ${job.segments}`,
      );
    const ends = progress.done + progress.failed + progress.cancelled;
    if (hasEnded(progress.state) && ends !== progress.total)
      this.#world.fail('S6', `job ${id} is ${progress.state} with ${ends} of ${progress.total} tasks ended`);
    if (ends > progress.total) this.#world.fail('S6', `job ${id} has more ends than tasks`);
  }

  #reopened(id: JobId, disk: MemoryDisk): void {
    const job = this.jobs.get(id);
    const progress = disk.jobs.get(id)?.progress;
    if (job === undefined || progress === undefined || progress.generation === job.generation) return;
    this.#world.sometimes('failed tasks were opened again');
    job.generation = progress.generation;
    job.progress = progress;
    for (const index of job.failedTasks) job.ended[index] = 0;
    job.failedTasks.clear();
    job.failed = 0;
  }

  /** A message leaves a server: what it says must be on disk (S2). */
  departed(process: ServerProcess, link: Link, frame: Frame, disk: MemoryDisk): void {
    this.messages++;
    const message = splitFrame(frame).json as ServerToWorker | ServerToClient;
    this.#world.note(() => `server→${link.node.padEnd(4)} ${brief(message)}`);
    switch (message.kind) {
      case 'ack':
        return this.#acked(message);
      case 'tasks':
        return this.#granted(message.lease, message.job, disk);
      case 'resultBatch':
        return this.#told(message.job, fromWireRuns(message.runs) ?? []);
      case 'resultsEnd':
      case 'progressNote':
        return this.#progressTold(message.progress as JobProgress, disk, 'job' in message ? message.job : undefined);
    }
    void process;
  }

  #acked(ack: ServerToWorker & { kind: 'ack' }): void {
    const lease = this.leases.get(ack.lease);
    if (ack.verdict === 'unknown') return this.#world.sometimes('an outcome of an unknown lease was refused');
    if (lease === undefined)
      return this.#world.fail('S3', `lease ${ack.lease} was never issued, but acked as ${ack.verdict}`);
    const job = this.jobs.get(lease.job);
    this.#world.sometimes(`acked ${ack.verdict}`);
    if (job === undefined || ack.verdict === 'superseded') return;
    const failures = this.sentFailures.get(ack.lease);
    for (const [start, count] of ack.runs) {
      for (let index = start; index < start + count; index++) {
        if (ack.verdict === 'recorded' && failures?.has(index)) this.#charge(lease.job, job, index);
        else if (job.ended[index] !== 1)
          this.#world.fail('S2', `task ${lease.job}/${index} was acked as ${ack.verdict} but is not on disk`);
      }
    }
  }

  /** S9: a task fails at most once more often than it may be tried again. */
  #charge(id: JobId, job: SeenJob, index: TaskIndex): void {
    const key = `${id}/${job.generation}/${index}`;
    const charged = (this.chargedFailures.get(key) ?? 0) + 1;
    this.chargedFailures.set(key, charged);
    if (charged > 1) this.#world.sometimes('a task failed again');
    if (charged > job.spec.retries + 1)
      this.#world.fail('S9', `task ${id}/${index} was charged ${charged} failures with ${job.spec.retries} retries`);
  }

  #granted(id: LeaseId, job: JobId, disk: MemoryDisk): void {
    const lease = this.leases.get(id);
    if (lease === undefined || lease.job !== job) this.#world.fail('S2', `lease ${id} left before its row was on disk`);
    void disk;
  }

  #told(id: JobId, runs: readonly Run[]): void {
    const job = this.jobs.get(id);
    if (job === undefined) return;
    for (const run of runs)
      for (let index = run.start; index < run.start + run.count; index++)
        if (job.ended[index] !== 1 && job.generation === 0)
          this.#world.fail('S2', `the result of task ${id}/${index} left before it was on disk`);
  }

  #progressTold(progress: JobProgress, disk: MemoryDisk, id: JobId | undefined): void {
    const stored = id === undefined ? undefined : disk.jobs.get(id)?.progress;
    if (stored !== undefined && progress.segments > stored.segments)
      this.#world.fail('S2', `progress of job ${id} left before it was on disk`);
  }
}

function covers(all: readonly Run[], part: readonly Run[]): boolean {
  return part.every(({ start, count }) =>
    all.some((run) => run.start <= start && start + count <= run.start + run.count),
  );
}

function grown(bytes: Uint8Array, length: number): Uint8Array {
  const larger = new Uint8Array(Math.max(length, 2 * bytes.length));
  larger.set(bytes);
  return larger;
}

/** One line for people. */
export function brief(message: { readonly kind: string }): string {
  const { kind, ...rest } = message;
  return `${kind} ${JSON.stringify(rest).slice(0, 160)}`;
}
