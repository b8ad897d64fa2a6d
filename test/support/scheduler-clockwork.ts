import { countRuns, indexesOf, type Run, runsOf } from '../../src/model/runs.ts';
import type { WorkerFacts } from '../../src/model/worker.ts';
import type { Command } from '../../src/scheduler/commands.ts';
import type { Event } from '../../src/scheduler/events.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { type Grant, spec, WALL, worker } from './scheduler-desk.ts';
import { Table } from './scheduler-table.ts';

/** Milliseconds of work that a worker hands to a task process at once, as the real one does. */
const CHUNK = 10;

interface Batch {
  readonly grant: Grant;
  tasks: number[];
}

interface Machine {
  readonly facts: WorkerFacts;
  readonly queue: Batch[];
  busy: number;
  alive: boolean;
  readonly running: Set<Batch>;
}

/**
 * Workers on a virtual clock, with a delay in both directions, to measure how well slots are kept busy. It is no proof
 * of correctness: everybody is honest and nothing gets lost but whole workers.
 */
export class Clockwork {
  now = 0;
  readonly table = new Table();
  readonly scheduler = new Scheduler({ epoch: 1, now: 0, wallOffset: WALL });
  readonly machines = new Map<string, Machine>();
  readonly attempts = new Map<string, number>();
  /** Milliseconds that a task takes on a worker; undefined: it fails at once. */
  duration: (job: number, index: number, worker: string) => number | undefined = () => 1;
  /** Milliseconds from the scheduler to a worker, and back: half a round trip and the commit. */
  delay = 0.3;
  readonly ended = new Map<number, number>();
  readonly #events: { at: number; order: number; run: () => void }[] = [];
  #order = 0;
  #ticking: number | undefined;

  at(at: number, run: () => void): void {
    this.#events.push({ at, order: this.#order++, run });
    this.#events.sort((a, b) => a.at - b.at || a.order - b.order);
  }

  after(delay: number, run: () => void): void {
    this.at(this.now + delay, run);
  }

  join(id: string, changes: Partial<WorkerFacts> = {}): void {
    const facts = worker(id, changes);
    this.machines.set(id, { facts, queue: [], busy: 0, alive: true, running: new Set() });
    this.post({ kind: 'workerJoined', worker: facts, held: [] });
  }

  kill(id: string): void {
    this.machines.get(id)!.alive = false;
    this.post({ kind: 'workerLeft', worker: id, final: false, reason: 'killed' });
  }

  submit(job: number, count: number, changes: Parameters<typeof spec>[0] = {}): void {
    const range = { start: 0, step: 1, count };
    this.post({ kind: 'jobSubmitted', request: 1, job, spec: spec({ range, ...changes }), open: false });
  }

  /** Until all these jobs have ended; returns when the last did. */
  run(...jobs: number[]): number {
    while (!jobs.every((job) => this.ended.has(job))) {
      const next = this.#events.shift();
      if (next === undefined) throw new Error(`nothing happens any more at ${this.now} ms`);
      this.now = Math.max(this.now, next.at);
      if (this.now > 1e7) throw new Error('no end in sight');
      next.run();
    }
    return this.now;
  }

  runUntil(time: number): void {
    while (this.#events[0] !== undefined && this.#events[0].at <= time) {
      const next = this.#events.shift()!;
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = time;
  }

  post(event: Event): void {
    for (const command of this.scheduler.handle(event, this.now)) this.#perform(command);
    const wake = this.scheduler.wakeAt();
    if (wake === undefined || (this.#ticking !== undefined && this.#ticking <= wake)) return;
    this.#ticking = wake;
    this.at(wake, () => {
      this.#ticking = undefined;
      for (const [id, { alive }] of this.machines) {
        if (!alive) continue;
        for (const command of this.scheduler.handle({ kind: 'workerHeard', worker: id }, this.now))
          this.#perform(command);
      }
      this.post({ kind: 'tick' });
    });
  }

  #perform(command: Command): void {
    if (command.kind === 'write') {
      this.table.apply(command.write, 1);
    } else if (command.kind === 'claimMore') {
      this.after(this.delay, () => {
        if (this.scheduler.job(command.job) === undefined) return;
        this.post({ kind: 'blocksClaimed', job: command.job, ...this.table.claim(command.job, command.blocks, 1) });
      });
    } else if (command.kind === 'publish' && command.change.kind === 'job') {
      if (command.change.progress.endedAt !== undefined) this.ended.set(command.change.job, this.now);
    } else if (command.kind === 'grant' || command.kind === 'recall' || command.kind === 'revoke') {
      this.after(this.delay, () => this.#arrive(command));
    }
  }

  #arrive(command: Extract<Command, { kind: 'grant' | 'recall' | 'revoke' }>): void {
    const machine = this.machines.get(command.worker)!;
    if (!machine.alive) return;
    if (command.kind === 'grant') {
      machine.queue.push({ grant: command, tasks: [...indexesOf(command.runs)] });
      return this.#work(machine);
    }
    const asked = new Set(indexesOf(command.runs));
    const back: number[] = [];
    for (const batch of [...machine.queue, ...machine.running]) {
      if (batch.grant.lease !== command.lease) continue;
      back.push(...batch.tasks.filter((index) => asked.has(index)));
      batch.tasks = batch.tasks.filter((index) => !asked.has(index));
    }
    if (command.kind === 'revoke' || back.length === 0) return;
    const { worker, lease } = command;
    this.#reply(machine, { kind: 'tasksReleased', worker, lease, runs: runsOf(back) });
  }

  #reply(machine: Machine, event: Event): void {
    this.after(this.delay, () => {
      if (machine.alive) this.post(event);
    });
  }

  #work(machine: Machine): void {
    while (machine.busy < machine.facts.slots) {
      const batch = machine.queue.shift();
      if (batch === undefined) return;
      machine.busy++;
      machine.running.add(batch);
      this.#chunk(machine, batch);
    }
  }

  /** Takes the next few tasks of a batch, which can't be taken back any more, and reports them together. */
  #chunk(machine: Machine, batch: Batch): void {
    const { grant } = batch;
    const { id } = machine.facts;
    const chunk: number[] = [];
    const failed: number[] = [];
    let millis = 0;
    while (batch.tasks.length > 0 && millis < CHUNK && (chunk.length === 0 || !grant.alone)) {
      const index = batch.tasks.shift()!;
      const takes = this.duration(grant.job, index, id);
      if (takes === undefined) failed.push(index);
      millis += takes ?? 0.1;
      chunk.push(index);
    }
    if (chunk.length === 0) {
      machine.busy--;
      machine.running.delete(batch);
      return this.#work(machine);
    }
    this.attempts.set(id, (this.attempts.get(id) ?? 0) + chunk.length);
    this.after(millis, () => {
      if (!machine.alive) return;
      const runs: Run[] = runsOf(chunk);
      const failures = failed.map((index) => ({ index, kind: 'failed', message: 'boom' }) as const);
      const { worker, lease, job } = grant;
      this.#reply(machine, {
        kind: 'outcomes',
        worker,
        lease,
        job,
        runs,
        failures,
        elapsedMicros: Math.round(millis * 1000),
      });
      this.#chunk(machine, batch);
    });
  }

  queued(id: string): number {
    return this.machines.get(id)!.queue.reduce((sum, { grant }) => sum + countRuns(grant.runs), 0);
  }
}
