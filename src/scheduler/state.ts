import type { Epoch, JobId, LeaseId, Millis, WorkerId } from '../model/ids.ts';
import type { SchedulerWrite } from '../model/records.ts';
import type { BlockState } from './block-state.ts';
import type { Answer, Command } from './commands.ts';
import type { RequestId } from './events.ts';
import { Fairness } from './fairness.ts';
import type { OpenJob } from './job-state.ts';
import type { Lease } from './leases.ts';
import { type Shape, Shapes } from './shapes.ts';
import { Timers } from './timers.ts';
import type { Worker } from './worker-state.ts';

/** All that the scheduler knows, and what it is about to say. The rules that change it are in the files around it. */
export class State {
  readonly epoch: Epoch;
  /** Added to a time of the monotonic clock, makes one of the wall clock. */
  readonly wall: number;
  now: Millis;
  nextLease = 0;
  /** Other servers may have tasks of the same blocks: what seems to have ended may be with one of them. */
  shared = false;
  /** When this machine was last seen to have slept or stalled: silence before that proves nothing (F-28). */
  resumedAt: Millis = 0;

  readonly jobs = new Map<JobId, OpenJob>();
  readonly workers = new Map<WorkerId, Worker>();
  readonly leases = new Map<LeaseId, Lease>();
  /** Known leases by worker, also by those that are gone. */
  readonly held = new Map<WorkerId, Set<Lease>>();
  /** The last leases that are over, and what to say of outcomes that are sent again. */
  readonly settled = new Map<LeaseId, { worker: WorkerId; verdict: 'duplicate' | 'superseded' }>();
  readonly shapes = new Shapes();
  readonly fairness = new Fairness();
  readonly timers = new Timers();
  /** Workers with tasks in their queue that could be taken back. */
  readonly deep = new Set<Worker>();
  /** Jobs that have nothing to hand out, but tasks that run. */
  readonly tails = new Set<OpenJob>();
  /** Requirement sets for which a worker is kept free. */
  readonly reserved = new Set<Shape>();
  /** Open jobs by each of those that they come after (R31). */
  readonly followers = new Map<JobId, Set<OpenJob>>();
  /** Workers that are connected to other servers. */
  elsewhere: ReadonlySet<WorkerId> = new Set();
  /** Something changed that could let a task be granted. */
  placeable = false;
  /** Passes of placement so far. */
  pass = 0;

  #commands: Command[] = [];
  readonly #changedJobs = new Set<OpenJob>();
  readonly #progressed = new Set<OpenJob>();
  readonly #changedBlocks = new Set<BlockState>();
  readonly #changedWorkers = new Set<Worker>();

  constructor(epoch: Epoch, wall: number, now: Millis) {
    this.epoch = epoch;
    this.wall = wall;
    this.now = now;
  }

  send(command: Command): void {
    this.#commands.push(command);
  }

  write(write: SchedulerWrite): void {
    this.#commands.push({ kind: 'write', write });
  }

  /** Request 0: nobody asked. */
  reply(request: RequestId, answer: Answer): void {
    if (request !== 0) this.#commands.push({ kind: 'reply', request, answer });
  }

  /** Its waiting or running tasks changed: placement and the feed want to know. */
  jobChanged(job: OpenJob): void {
    this.#changedJobs.add(job);
    this.placeable = true;
  }

  /** Its row changed too. */
  progressChanged(job: OpenJob): void {
    this.#progressed.add(job);
    this.jobChanged(job);
  }

  /** Its row has to be written: at the end of the event, and not if the block ends before. */
  blockChanged(block: BlockState): void {
    this.#changedBlocks.add(block);
  }

  /** Its room or its state changed. */
  workerChanged(worker: Worker): void {
    this.#changedWorkers.add(worker);
    this.placeable = true;
  }

  /** Brings the sets of who can take what in step with the workers that changed. */
  refreshWorkers(): void {
    for (const worker of this.#changedWorkers) this.refreshWorker(worker);
  }

  refreshWorker(worker: Worker): void {
    for (const shape of worker.shapes) shape.refresh(worker);
    if (worker.unstarted > 0) this.deep.add(worker);
    else this.deep.delete(worker);
  }

  get changedJobs(): ReadonlySet<OpenJob> {
    return this.#changedJobs;
  }

  /** Rows and news of everything that changed, once each, and all commands since the last call. */
  flush(): Command[] {
    for (const block of this.#changedBlocks) {
      if (this.jobs.get(block.job)?.blocks.get(block.first) !== block) continue;
      this.write({ kind: 'block', block: block.record(this.epoch, this.wall) });
    }
    this.#changedBlocks.clear();
    for (const job of this.#progressed) this.write({ kind: 'progress', job: job.id, ...job.written() });
    for (const job of this.#changedJobs) {
      const { waiting, running } = job;
      const spec = job.announced ? {} : { spec: job.spec };
      job.announced = true;
      this.send({
        kind: 'publish',
        change: { kind: 'job', job: job.id, progress: job.progress(), waiting, running, ...spec },
      });
    }
    for (const worker of this.#changedWorkers) {
      if (this.workers.get(worker.id) === worker) this.send({ kind: 'publish', change: workerView(worker) });
    }
    this.#progressed.clear();
    this.#changedJobs.clear();
    this.#changedWorkers.clear();
    const commands = this.#commands;
    this.#commands = [];
    return commands;
  }
}

/** A worker as the feed and the pages show it. */
export function workerView(worker: Worker) {
  const { facts, state, unable, busy, done, failed, lastHeard } = worker;
  const queued = Math.max(0, worker.tasks - busy);
  const why = unable === undefined ? {} : { unable };
  return { kind: 'worker', worker: facts, state, ...why, busy, queued, done, failed, lastHeard } as const;
}
