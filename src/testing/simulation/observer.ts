import { type Epoch, epochOf, type JobId, type LeaseId, type WorkerId } from '../../model/ids.ts';
import { hasEnded, type JobProgress, type JobSpec } from '../../model/job.ts';
import type { SegmentRecord, Write } from '../../model/records.ts';
import { countRuns, indexesOf, type Run } from '../../model/runs.ts';
import type { Frame } from '../../protocol/frames.ts';
import type { MemoryDisk } from '../../store/memory/memory-disk.ts';
import { failedRuns } from '../../store/reopen.ts';
import { StoreError } from '../../store/store.ts';
import type { Link } from './link.ts';
import { jobsOf, MemberObserver } from './member-observer.ts';
import { MessageObserver } from './message-observer.ts';
import type { JobPlan } from './plan.ts';
import { SeenJob } from './seen-job.ts';
import type { ServerProcess } from './server-process.ts';
import type { Change } from './watched-store.ts';
import type { World } from './world.ts';

export interface SeenLease {
  readonly worker: WorkerId;
  readonly job: JobId;
  readonly runs: readonly Run[];
}

/** What was known of the rows at a moment. */
export interface Sight {
  readonly changes: number;
  readonly jobs: ReadonlyMap<JobId, SeenJob>;
  readonly leases: ReadonlyMap<LeaseId, SeenLease>;
  readonly keys: ReadonlyMap<string, JobId>;
  readonly over: ReadonlySet<Epoch>;
}

/**
 * Sees all rows that reach the disk and all messages that leave the server, and holds them to the invariants of
 * faults.md: what is recorded is recorded once and right (S1), only what was issued is recorded (S3), counts agree
 * (S6), nothing is recorded after an end (S8), budgets hold (S9), epochs fence (S12). Messages: {@link MessageObserver}.
 */
export class Observer {
  readonly jobs = new Map<JobId, SeenJob>();
  /** All leases there ever were. */
  readonly leases = new Map<LeaseId, SeenLease>();
  /** Some worker was suspended: what failed there is not charged, so that tasks may fail more often than they may be retried. */
  suspensions = 0;
  /** How often a brain was read from disk: by a new process, or by one whose store had failed it. */
  recoveries = 0;
  /** Of the data. */
  changes = 0;
  failovers = 0;
  /** Attempts whose end was written down. */
  attempts = 0;
  readonly messages: MessageObserver;
  readonly #keys = new Map<string, JobId>();
  /** Numbers of jobs that were ever given, also in what is lost (D3, D25). */
  readonly #numbers = new Set<JobId>();
  readonly #world: World;
  readonly #plans: readonly JobPlan[];
  /** By epoch. */
  readonly #newestLeases = new Map<Epoch, LeaseId>();
  readonly #members: MemberObserver;

  constructor(world: World, plans: readonly JobPlan[]) {
    this.#world = world;
    this.#plans = plans;
    this.messages = new MessageObserver(world, this);
    this.#members = new MemberObserver(world);
  }

  sight(): Sight {
    return {
      changes: this.changes,
      jobs: new Map([...this.jobs].map(([id, job]) => [id, job.copy()])),
      leases: new Map(this.leases),
      keys: new Map(this.#keys),
      over: new Set(this.#members.over),
    };
  }

  /** The store lost all since then. Numbers that were given stay given. */
  failedOver(sight: Sight, disk: MemoryDisk): void {
    this.failovers += 1;
    refill(this.jobs, sight.jobs);
    refill(this.leases, sight.leases);
    refill(this.#keys, sight.keys);
    this.#members.failedOver(sight.over, disk);
  }

  /** A server that shares the store said goodbye. */
  left(disk: MemoryDisk): void {
    this.#members.left(disk);
  }

  /** Epochs of servers whose time is over. */
  get over(): ReadonlySet<Epoch> {
    return this.#members.over;
  }

  departed(process: ServerProcess, link: Link, frame: Frame, disk: MemoryDisk) {
    return this.messages.departed(process, link, frame, disk);
  }

  arrived(process: ServerProcess, link: Link, frame: Frame | undefined): void {
    this.messages.arrived(process, link, frame);
  }

  /** A change is on disk, for ever. */
  applied(change: Change, disk: MemoryDisk): void {
    if (disk.clock !== undefined) this.#members.applied(change, disk);
    if (change.verb !== 'pulse') this.changes += 1;
    if (change.verb === 'recover') this.recoveries += 1;
    if (change.verb === 'reopen') return this.#reopened(change.job, disk);
    if (change.verb === 'forget') {
      if (disk.jobs.has(change.job)) return;
      this.jobs.delete(change.job);
      for (const [key, job] of [...this.#keys]) if (job === change.job) this.#keys.delete(key);
      return;
    }
    if (change.verb !== 'commit') return;
    if (disk.clock === undefined && change.epoch !== disk.epoch)
      this.#world.fail('S12', `a commit of epoch ${change.epoch} reached the disk in epoch ${disk.epoch}`);
    const touched = new Set<SeenJob>();
    // The row of a progress may stand before the segments that it counts.
    const progresses: [SeenJob, JobProgress][] = [];
    for (const write of change.writes) {
      const job = this.#write(write, change.epoch, disk);
      if (job === undefined) continue;
      touched.add(job);
      if (write.kind === 'progress') progresses.push([job, this.#stored(write, disk)]);
    }
    for (const [job, progress] of progresses) this.#progress(job, progress);
    for (const job of touched) {
      this.#recount(job);
      this.#checkFamily(job);
    }
  }

  /** A store refuses only what contradicts its data, or comes from a server whose time is over. */
  refused(change: Change, error: Error, disk: MemoryDisk): void {
    const code = error instanceof StoreError ? error.code : 'none';
    this.#world.note(() => `store   refuses a ${change.verb}: ${error.message}`);
    if (code === 'rewound') this.#world.sometimes('a server found that the store had failed over');
    else if (code === 'fenced') this.#world.sometimes('a stale commit was fenced off');
    else if (code === 'stale') this.#world.sometimes('a commit came too late for what another server did');
    else if (disk.clock !== undefined && mayConflict(change, disk))
      this.#world.sometimes('a commit spoke of a job that another server forgot');
    else if (change.verb !== 'forget')
      this.#world.fail('S6', `the store refuses a ${change.verb}: ${error.message}`, error);
  }

  /** Returns the job whose counters it concerns. */
  #write(write: Write, epoch: Epoch, disk: MemoryDisk): SeenJob | undefined {
    switch (write.kind) {
      case 'job':
        this.#addJob(write.job, write.spec, write.progress);
        return undefined;
      case 'idempotency':
        this.#addKey(`${write.owner} ${write.key}`, write.job);
        return undefined;
      case 'lease':
        this.#addLease(write.lease.lease, write.lease, epoch);
        return undefined;
      case 'attempt':
        this.attempts++;
        this.jobs.get(write.attempt.job)?.attempt(write.attempt);
        return undefined;
      case 'segment':
        return this.#addSegment(write.segment, write.column, epoch, disk);
      case 'inputs': {
        const job = this.jobs.get(write.job);
        if (job?.plan.source !== undefined) this.#grow(job, disk);
        if (job?.plan.spawns !== true) return undefined;
        if (write.first >= job.plan.count) this.#world.sometimes('a task gave its job others');
        const first = write.anywhere === true && disk.clock !== undefined ? job.family.size : write.first;
        if (first !== write.first) this.#world.sometimes('tasks of two servers gave their job others at once');
        job.family.add(first, write.column);
        return job;
      }
      case 'handedOver':
        this.#world.sometimes('a lease was handed over');
        return undefined;
      case 'progress':
        return this.jobs.get(write.job);
      default:
        return undefined;
    }
  }

  /** R31: what was passed on. */
  #grow(job: SeenJob, disk: MemoryDisk): void {
    const [stored, source] = [disk.jobs.get(job.id), this.jobs.get(job.spec.source ?? 0)];
    if (stored === undefined || source === undefined) return;
    this.#world.sometimes('results became inputs of another job');
    const wrong = job.chain.grow(stored, source);
    if (wrong !== undefined)
      this.#world.fail('R31', `job ${job.id}, which takes the results of ${source.id}: ${wrong}`);
  }

  #addJob(id: JobId, spec: JobSpec, progress: JobProgress): void {
    if (this.#numbers.has(id)) this.#world.fail('D3', `job number ${id} was given out twice`);
    this.#numbers.add(id);
    this.jobs.set(id, new SeenJob(id, spec, progress, this.#plans));
  }

  #addKey(key: string, job: JobId): void {
    const before = this.#keys.get(key);
    if (before !== undefined && before !== job)
      this.#world.fail('S1', `one idempotency key made two jobs: ${before} and ${job}`);
    this.#keys.set(key, job);
  }

  /** In a shared store the row is what all servers have made of it. */
  #stored({ job, progress }: Extract<Write, { kind: 'progress' }>, disk: MemoryDisk): JobProgress {
    return disk.clock === undefined ? progress : (disk.jobs.get(job)?.progress ?? progress);
  }

  #addLease(id: LeaseId, lease: SeenLease, epoch: Epoch): void {
    const job = this.jobs.get(lease.job);
    const newest = this.#newestLeases.get(epoch) ?? 0;
    if (id <= newest) this.#world.fail('S3', `lease ${id} was issued after ${newest}`);
    this.#newestLeases.set(epoch, id);
    if (epochOf(id) !== epoch) this.#world.fail('S12', `lease ${id} is of another epoch than ${epoch}`);
    if (job === undefined || hasEnded(job.progress.state))
      this.#world.fail('S8', `lease ${id} is of job ${lease.job}, which has ended`);
    this.leases.set(id, { worker: lease.worker, job: lease.job, runs: lease.runs });
  }

  #addSegment(asked: SegmentRecord, column: Uint8Array, epoch: Epoch, disk: MemoryDisk): SeenJob | undefined {
    const segment = this.#storedSegment(asked, disk);
    this.attempts += countRuns(segment.runs);
    const job = this.jobs.get(segment.job);
    if (job === undefined) {
      this.#world.fail('S1', `a segment of job ${segment.job}, which is not there`);
      return undefined;
    }
    if (hasEnded(job.progress.state))
      this.#world.fail('S8', `outcomes of job ${segment.job} recorded after it was ${job.progress.state}`);
    if (segment.generation !== job.generation)
      this.#world.fail('S1', `a segment of generation ${segment.generation} in generation ${job.generation}`);
    if (segment.worker !== '') this.#checkIssued(segment);
    else this.#world.sometimes('a task was poison');
    if (epochOf(segment.lease) < epoch) this.#world.sometimes('a task was adopted after a restart');
    const wrong = job.record(segment, column, disk.jobs.get(segment.job)?.blobs ?? new Set());
    if (wrong !== undefined) this.#world.fail(wrong.rule, wrong.what);
    if (segment.worker !== '') this.#checkFailures(segment);
    return job;
  }

  /** A shared store gives the numbers: this is the next one that it has (D19). */
  #storedSegment(asked: SegmentRecord, disk: MemoryDisk): SegmentRecord {
    if (disk.clock === undefined) return asked;
    const next = (this.jobs.get(asked.job)?.segments ?? 0) + 1;
    const stored = disk.jobs.get(asked.job)?.segments[next - 1]?.segment;
    if (stored?.seq !== next || stored.lease !== asked.lease)
      this.#world.fail('S7', `segment ${next} of job ${asked.job} is not what was written`);
    return stored ?? asked;
  }

  /** S3: recorded only for tasks that were granted to that worker. */
  #checkIssued(segment: SegmentRecord): void {
    const lease = this.leases.get(segment.lease);
    const issued =
      lease !== undefined &&
      lease.worker === segment.worker &&
      lease.job === segment.job &&
      covers(lease.runs, segment.runs);
    if (!issued)
      this.#world.fail('S3', `segment ${segment.seq} of job ${segment.job} is not of a lease of ${segment.worker}`);
  }

  /** S3: only what a worker said to have failed is recorded as failed. */
  #checkFailures(segment: SegmentRecord): void {
    for (const index of indexesOf(failedRuns(segment))) {
      if (!this.messages.failuresSent.has(`${segment.job}/${index}`))
        this.#world.fail('S3', `task ${segment.job}/${index} is recorded as failed, but nobody said so`);
    }
  }

  #progress(job: SeenJob, progress: JobProgress): void {
    const { state } = job.progress;
    if (hasEnded(state) && state !== progress.state)
      this.#world.fail('S1', `job ${job.id} was ${state} and is ${progress.state}`);
    job.progress = progress;
    const source = this.jobs.get(job.spec.source ?? 0);
    // Of one that ended with its source the failed tasks may be tried again; more inputs than it had will not come.
    if (
      source === undefined ||
      progress.open ||
      progress.generation > 0 ||
      ['cancelled', 'failed'].includes(progress.state)
    )
      return;
    const wrong = job.chain.wrongAtEnd(source);
    if (wrong !== undefined)
      this.#world.fail('R31', `job ${job.id}, which takes the results of ${source.id}: ${wrong}`);
  }

  /** S6: the counters in the row are those of the segments. */
  #recount(job: SeenJob): void {
    const { progress } = job;
    const agree = progress.done === job.done && progress.failed === job.failed && progress.segments === job.segments;
    if (!agree)
      this.#world.fail(
        'S6',
        `job ${job.id} says ${progress.done} done, ${progress.failed} failed, ${progress.segments} segments; there are ${job.done}, ${job.failed}, ${job.segments}`,
      );
    const ends = progress.done + progress.failed + progress.cancelled;
    if (hasEnded(progress.state) && ends !== progress.total)
      this.#world.fail('S6', `job ${job.id} is ${progress.state} with ${ends} of ${progress.total} tasks ended`);
    if (ends > progress.total) this.#world.fail('S6', `job ${job.id} has more ends than tasks`);
  }

  /** R34: what tasks gave is there as often as they were recorded, in the same commit. */
  #checkFamily(job: SeenJob): void {
    if (job.plan.spawns !== true) return;
    const wrong = job.family.wrong(!job.progress.open);
    if (wrong !== undefined) this.#world.fail('S1', `job ${job.id}: ${wrong}`);
  }

  #reopened(id: JobId, disk: MemoryDisk): void {
    const job = this.jobs.get(id);
    const progress = disk.jobs.get(id)?.progress;
    if (job === undefined || progress === undefined || progress.generation === job.generation) return;
    this.#world.sometimes('failed tasks were opened again');
    this.#budget(job);
    job.reopen(progress);
  }

  /** S9, for a generation that is over. */
  #budget(job: SeenJob): void {
    // Nor is what failed with a code of several that never succeeded on its worker (R33).
    if (this.suspensions > 0 || job.spec.variants !== undefined) return;
    for (const { index, failures } of job.overcharged())
      this.#world.fail('S9', `task ${job.id}/${index} failed ${failures} times with ${job.spec.retries} retries`);
  }

  /** At the end of a run. */
  checkBudgets(): void {
    for (const job of this.jobs.values()) this.#budget(job);
  }
}

/** Of several servers one may not know yet that another forgot a job, or was given the same one. */
function mayConflict(change: Change, disk: MemoryDisk): boolean {
  if (change.verb !== 'commit') return false;
  const born = new Set(change.writes.flatMap((write) => (write.kind === 'job' ? [write.job] : [])));
  return change.writes.some(
    (write) => write.kind === 'idempotency' || jobsOf(write).some((job) => !disk.jobs.has(job) && !born.has(job)),
  );
}

function refill<Key, Value>(map: Map<Key, Value>, from: ReadonlyMap<Key, Value>): void {
  map.clear();
  for (const [key, value] of from) map.set(key, value);
}

function covers(all: readonly Run[], part: readonly Run[]): boolean {
  return part.every(({ start, count }) =>
    all.some((run) => run.start <= start && start + count <= run.start + run.count),
  );
}
