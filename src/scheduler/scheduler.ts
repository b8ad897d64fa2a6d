import type { Epoch, JobId, LeaseId, Millis, TaskIndex, WorkerId } from '../model/ids.ts';
import type { JobProgress, JobSpec } from '../model/job.ts';
import { LATE_TICK } from '../model/limits.ts';
import type { Command } from './commands.ts';
import * as elsewhere from './elsewhere.ts';
import type { Event } from './events.ts';
import { type Explanation, explainJob, explainTask, type GivenBatch, givenTo } from './explain.ts';
import { batchesInFlight, type InFlight } from './in-flight.ts';
import { checkState } from './invariants.ts';
import type { OpenJob } from './job-state.ts';
import * as jobs from './jobs.ts';
import { handleOutcomes } from './outcomes.ts';
import { place } from './placement.ts';
import { type Recovered, recover } from './recovery.ts';
import { State, workerView } from './state.ts';
import { released } from './takeback.ts';
import * as workers from './workers.ts';

export interface SchedulerOptions {
  /** Raised for every scheduler that is made: lease numbers begin anew with it. */
  readonly epoch: Epoch;
  readonly now: Millis;
  /** Added to a time of the monotonic clock, makes one of the wall clock (ms since 1970). */
  readonly wallOffset: number;
  readonly recovered?: Recovered;
  /** Other servers may have tasks of the same blocks. */
  readonly shared?: boolean;
}

export interface JobView {
  readonly job: JobId;
  readonly spec: JobSpec;
  readonly progress: JobProgress;
  readonly waiting: number;
  readonly running: number;
}

/** The brain: what happened goes in, what shall be done comes out. The rules are in SCHEDULER.md. */
export class Scheduler {
  readonly #state: State;

  constructor(options: SchedulerOptions) {
    this.#state = new State(options.epoch, options.wallOffset, options.now);
    this.#state.shared = options.shared === true;
    if (options.recovered !== undefined) recover(this.#state, options.recovered);
  }

  handle(event: Event, now: Millis): Command[] {
    const state = this.#state;
    state.now = Math.max(state.now, now);
    const due = state.timers.next;
    if (due !== undefined && now > due + LATE_TICK) state.resumedAt = now;
    dispatch(state, event);
    state.timers.run(state.now);
    if (state.placeable) place(state);
    return state.flush();
  }

  /** When something happens by itself; a tick is due then. */
  wakeAt(): Millis | undefined {
    // What a recovery found to do waits for the first event.
    return this.#state.placeable ? this.#state.now : this.#state.timers.next;
  }

  explain(job: JobId, index: TaskIndex, now: Millis): Explanation {
    return explainTask(this.#state, job, index, now);
  }

  /** Why no more of a job runs (R27). */
  explainJob(job: JobId): Explanation {
    return explainJob(this.#state, job);
  }

  /** Batches that are with workers, at most so many; their times are of the wall clock. */
  inFlight(job: JobId, limit: number): InFlight[] {
    return batchesInFlight(this.#state, job, limit);
  }

  /** What a worker has to do. */
  given(worker: WorkerId, now: Millis): GivenBatch[] {
    return givenTo(this.#state, worker, now);
  }

  /** Open jobs. */
  jobs(): JobView[] {
    return [...this.#state.jobs.values()].map(jobView);
  }

  job(id: JobId): JobView | undefined {
    const job = this.#state.jobs.get(id);
    return job === undefined ? undefined : jobView(job);
  }

  workers(): ReturnType<typeof workerView>[] {
    return [...this.#state.workers.values()].map(workerView);
  }

  worker(id: WorkerId): ReturnType<typeof workerView> | undefined {
    const worker = this.#state.workers.get(id);
    return worker === undefined ? undefined : workerView(worker);
  }

  /** Under which it issues leases. */
  get epoch(): Epoch {
    return this.#state.epoch;
  }

  /** Since when the oldest batch is with a worker, by the wall clock; undefined: none is. */
  oldestGrant(): Millis | undefined {
    let oldest: Millis | undefined;
    for (const { givenAt } of this.#state.leases.values()) oldest = Math.min(oldest ?? givenAt, givenAt);
    return oldest;
  }

  /** The job of a lease that this worker has; undefined: it has no such lease. */
  jobOfLease(lease: LeaseId, worker: WorkerId): JobId | undefined {
    const known = this.#state.leases.get(lease);
    return known?.workerId === worker ? known.job.id : undefined;
  }

  /** Throws if what it knows contradicts itself. For tests and the simulator. */
  checkInvariants(): void {
    checkState(this.#state);
  }
}

function jobView(job: OpenJob): JobView {
  return { job: job.id, spec: job.spec, progress: job.progress(), waiting: job.waiting, running: job.running };
}

function dispatch(state: State, event: Event): void {
  switch (event.kind) {
    case 'jobSubmitted':
      return jobs.submit(state, event);
    case 'inputsAdded':
      return jobs.addInputs(state, event);
    case 'jobClosed':
      return jobs.close(state, event);
    case 'blocksClaimed':
      return jobs.claimed(state, event);
    case 'jobReopened':
      return jobs.reopen(state, event);
    case 'jobCancelled':
      return jobs.cancel(state, event);
    case 'jobPaused':
      return jobs.pause(state, event);
    case 'jobResumed':
      return jobs.resume(state, event);
    case 'workerJoined':
      return workers.join(state, event);
    case 'workerLeft':
      return workers.left(state, event);
    case 'workerHeard':
      workers.heard(state, event.worker);
      if (event.way !== undefined) workers.noteWay(state, event.worker, event.way);
      return;
    case 'blobsHeld':
      workers.heard(state, event.worker);
      return workers.holdsBlobs(state, event);
    case 'outcomes':
      workers.heard(state, event.worker);
      return handleOutcomes(state, event);
    case 'tasksReleased':
      workers.heard(state, event.worker);
      return released(state, event);
    case 'jobFound':
      return elsewhere.jobFound(state, event);
    case 'progressFound':
      return elsewhere.progressFound(state, event);
    case 'jobPulsed':
      return elsewhere.jobPulsed(state, event);
    case 'leasesLeftOut':
      return elsewhere.leasesLeftOut(state, event);
    case 'workersElsewhere':
      state.elsewhere = new Set(event.workers);
      return;
    case 'leasesWanted':
      return elsewhere.leasesWanted(state, event);
    case 'leasesTaken':
      return elsewhere.leasesTaken(state, event);
    case 'workerDrained':
      return workers.drain(state, event);
    case 'workerStopped':
      return workers.stop(state, event);
    case 'tick':
      return;
  }
}
