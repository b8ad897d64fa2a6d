import assert from 'node:assert/strict';
import type { JobSpec } from '../../src/model/job.ts';
import { countRuns, type Run } from '../../src/model/runs.ts';
import type { WorkerFacts } from '../../src/model/worker.ts';
import type { Command } from '../../src/scheduler/commands.ts';
import type { Event, TaskFailed } from '../../src/scheduler/events.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { Table } from './scheduler-table.ts';

export type Grant = Extract<Command, { kind: 'grant' }>;
export type Sent = Exclude<Command, { kind: 'write' | 'publish' }>;

/** Milliseconds between the scheduler's clock and 1970, in tests. */
export const WALL = 1_000_000_000_000;

export function spec(changes: Partial<JobSpec> = {}): JobSpec {
  return {
    name: 'test',
    owner: 'ann',
    code: { runner: 'js', sha256: 'a'.repeat(64), size: 10, sourceName: 'test.ts' },
    priority: 0,
    weight: 1,
    retries: 0,
    requires: {},
    cpus: 1,
    resources: {},
    fenced: false,
    submittedAt: WALL,
    ...changes,
  };
}

export function worker(id: string, changes: Partial<WorkerFacts> = {}): WorkerFacts {
  const kind = 'node' as const;
  return { id, name: id, kind, slots: 1, runners: ['js'], labels: {}, resources: {}, token: 't', ...changes };
}

/**
 * A scheduler on a desk: events go in, its rows land in a table, and what it says is kept until a test has looked at
 * it. After every event the invariants hold, of the scheduler and of the table.
 */
export class Desk {
  table = new Table();
  epoch = 1;
  now = 1_000;
  scheduler: Scheduler;
  #sent: Sent[] = [];
  changes: Extract<Command, { kind: 'publish' }>['change'][] = [];
  /** Sees every command first. */
  watch: (command: Command, event: Event) => void = () => {};
  #request = 0;
  #job = 0;

  /** `shared`: other servers have the same store. */
  constructor(shared = false) {
    this.scheduler = new Scheduler({ epoch: this.epoch, now: this.now, wallOffset: WALL, shared });
  }

  post(event: Event): Command[] {
    const commands = this.scheduler.handle(event, this.now);
    const progressed = commands.filter((command) => command.kind === 'write' && command.write.kind === 'progress');
    const jobs = new Set(
      progressed.map((command) => command.kind === 'write' && command.write.kind === 'progress' && command.write.job),
    );
    assert.equal(jobs.size, progressed.length, 'progress is written once an event and job');
    for (const command of commands) {
      this.watch(command, event);
      if (command.kind === 'write') this.table.apply(command.write, this.epoch);
      else if (command.kind === 'publish') this.changes.push(command.change);
      else this.#sent.push(command);
    }
    this.table.check();
    this.scheduler.checkInvariants();
    return commands;
  }

  /** What was said since the last look. */
  sent(): Sent[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  /** The grants since the last look; whatever else was said must be of these kinds. */
  grants(...others: Sent['kind'][]): Grant[] {
    const sent = this.sent();
    for (const command of sent) {
      if (command.kind !== 'grant' && command.kind !== 'reply')
        assert.ok(others.includes(command.kind), JSON.stringify(command));
    }
    return sent.filter((command) => command.kind === 'grant');
  }

  /** Nothing was said since the last look. */
  quiet(): void {
    assert.deepEqual(this.sent(), []);
  }

  submit(changes: Partial<JobSpec> = {}, open = changes.range === undefined): number {
    const job = ++this.#job;
    this.post({ kind: 'jobSubmitted', request: ++this.#request, job, spec: spec(changes), open });
    return job;
  }

  /** A closed job with `count` stored inputs. */
  job(count: number, changes: Partial<JobSpec> = {}): number {
    const job = this.submit(changes);
    for (let first = 0; first < count; first += 4096) this.inputs(job, first, Math.min(4096, count - first));
    this.close(job, count);
    return job;
  }

  inputs(job: number, first: number, count: number): void {
    this.post({ kind: 'inputsAdded', request: ++this.#request, job, first, count });
  }

  close(job: number, total: number): void {
    this.post({ kind: 'jobClosed', request: ++this.#request, job, total });
  }

  request(kind: 'jobPaused' | 'jobResumed', job: number): void {
    this.post({ kind, request: ++this.#request, job });
  }

  cancel(job: number): void {
    this.post({ kind: 'jobCancelled', request: ++this.#request, job, reason: 'asked to' });
  }

  join(id: string, changes: Partial<WorkerFacts> = {}, held: { lease: number; runs: Run[] }[] = []): void {
    this.post({ kind: 'workerJoined', worker: worker(id, changes), held });
  }

  leave(id: string, final = false): void {
    this.post({ kind: 'workerLeft', worker: id, final, reason: final ? 'bye' : 'connection lost' });
  }

  done(grant: Grant, runs: readonly Run[] = grant.runs, millis = 1, failures: TaskFailed[] = []): void {
    const { worker, lease, job } = grant;
    const elapsedMicros = millis * 1000 * countRuns(runs);
    this.post({ kind: 'outcomes', worker, lease, job, runs, failures, elapsedMicros });
  }

  /** All tasks of the grant failed. */
  fails(grant: Grant, indexes: readonly number[], kind: TaskFailed['kind'] = 'failed'): void {
    const failures = indexes.map((index) => ({ index, kind, message: 'boom' }));
    this.done(
      grant,
      indexes.map((start) => ({ start, count: 1 })),
      1,
      failures,
    );
  }

  release(grant: Grant, runs: readonly Run[]): void {
    this.post({ kind: 'tasksReleased', worker: grant.worker, lease: grant.lease, runs });
  }

  pass(millis: number): void {
    this.now += millis;
    this.post({ kind: 'tick' });
  }

  /** Ticks at every time the scheduler asks for, as the shell does, with `heard` workers heard of in between. */
  passSlowly(millis: number, ...heard: string[]): void {
    const end = this.now + millis;
    while (this.now < end) {
      this.now = Math.min(end, Math.max(this.now + 1, Math.min(this.scheduler.wakeAt() ?? end, this.now + 5_000)));
      for (const worker of heard) this.post({ kind: 'workerHeard', worker });
      this.post({ kind: 'tick' });
    }
  }

  /** Answers a claim as the store would. */
  claim(command: Sent): void {
    assert.ok(command.kind === 'claimMore');
    const { blocks, more } = this.table.claim(command.job, command.blocks, this.epoch);
    this.post({ kind: 'blocksClaimed', job: command.job, blocks, more });
  }

  /** The server dies and starts again; nobody is connected. */
  restart(): void {
    this.epoch++;
    this.#sent = [];
    const recovered = this.table.recovered(this.epoch);
    this.scheduler = new Scheduler({ epoch: this.epoch, now: this.now, wallOffset: WALL, recovered });
    this.scheduler.checkInvariants();
  }

  progress(job: number) {
    return this.table.of(job).job.progress;
  }
}
