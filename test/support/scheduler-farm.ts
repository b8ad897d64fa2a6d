import assert from 'node:assert/strict';
import type { JobSpec } from '../../src/model/job.ts';
import { indexesOf, type Run, runsOf, subtractRuns } from '../../src/model/runs.ts';
import type { Command } from '../../src/scheduler/commands.ts';
import type { Event, OutcomesEvent } from '../../src/scheduler/events.ts';
import { Desk, type Grant, type Sent } from './scheduler-desk.ts';
import { Device } from './scheduler-device.ts';
import { Verdicts } from './scheduler-verdicts.ts';

/**
 * Clients, workers and a server that do whatever a list of numbers tells them, and a simple notion of what may be
 * recorded, against which every answer is held.
 */
export class RandomFarm {
  readonly seen = new Set<string>();
  readonly #desk = new Desk();
  readonly #decisions: readonly number[];
  #at = 0;
  readonly #devices: Device[] = [];
  readonly #jobs: {
    id: number;
    spec: Partial<JobSpec>;
    inputs: number;
    open: boolean;
    paused: boolean;
    over: boolean;
  }[] = [];
  readonly #claims: Sent[] = [];
  readonly #recalls: { worker: string; lease: number; runs: readonly Run[] }[] = [];
  readonly #verdicts = new Verdicts(this.seen);
  readonly #cancelled = new Set<number>();
  readonly #draining = new Set<string>();

  constructor(decisions: readonly number[]) {
    this.#decisions = decisions;
    this.#desk.watch = (command, event) => this.#watch(command, event);
  }

  /** The next decision, below `bound`. */
  #draw(bound: number): number {
    const value = this.#decisions[this.#at++ % this.#decisions.length]!;
    // Spreads small numbers, which shrinking likes, over all choices deterministically.
    return (Math.imul(value + this.#at, 2654435761) >>> 8) % bound;
  }

  run(): void {
    for (this.#at = 0; this.#at < this.#decisions.length; ) {
      this.#step();
      this.#listen();
    }
  }

  #step(): void {
    const join = () => this.#join();
    const work = () => this.#work();
    const answer = () => (this.#draw(2) === 0 ? this.#answerRecall() : this.#answerClaim());
    const clients = [() => this.#submit(), () => this.#addInputs(), () => this.#close(), () => this.#cancelOrPause()];
    const few = [join, join, () => this.#leave(), () => this.#resend(), () => this.#forge(), () => this.#manage()];
    const many = [work, work, work, work, work, answer, answer, answer, answer, () => this.#pass()];
    const steps = [...clients, ...few, ...many];
    if (this.#draw(60) === 0) return this.#restart();
    steps[this.#draw(steps.length)]!();
  }

  #submit(): void {
    if (this.#jobs.filter((job) => !job.over).length >= 4) return;
    const ranges = [1, 5, 40, 5_000];
    const range = this.#draw(2) === 0 ? { start: 0, step: 1, count: ranges[this.#draw(4)]! } : undefined;
    const spec: Partial<JobSpec> = {
      owner: ['ann', 'bob'][this.#draw(2)]!,
      priority: this.#draw(2),
      retries: this.#draw(3),
      fenced: this.#draw(3) === 0,
      cpus: this.#draw(5) === 0 ? 2 : 1,
      resources: this.#draw(6) === 0 ? { gpu: 1 } : {},
      ...(this.#draw(2) === 0 ? { maxFailures: this.#draw(30) } : {}),
      ...(range === undefined ? {} : { range }),
    };
    const id = this.#desk.submit(spec);
    this.#jobs.push({ id, spec, inputs: range?.count ?? 0, open: range === undefined, paused: false, over: false });
  }

  #someJob() {
    const open = this.#jobs.filter((job) => !job.over);
    return open.length === 0 ? undefined : open[this.#draw(open.length)];
  }

  #addInputs(): void {
    const job = this.#someJob();
    if (job === undefined || !job.open) return;
    const count = [1, 3, 64, 700][this.#draw(4)]!;
    this.#desk.inputs(job.id, job.inputs, count);
    if (this.#draw(4) === 0) this.#desk.inputs(job.id, job.inputs, count);
    job.inputs += count;
  }

  #close(): void {
    const job = this.#someJob();
    if (job === undefined || !job.open) return;
    this.#desk.close(job.id, job.inputs);
    job.open = false;
  }

  #cancelOrPause(): void {
    const job = this.#someJob();
    if (job === undefined) return;
    const what = this.#draw(5);
    if (what === 0) {
      this.#desk.cancel(job.id);
      this.#cancelled.add(job.id);
      this.seen.add('cancelled');
    } else {
      job.paused = !job.paused;
      this.#desk.request(job.paused ? 'jobPaused' : 'jobResumed', job.id);
    }
  }

  #join(): void {
    const gone = this.#devices.filter((device) => !device.connected);
    if (gone.length > 0 && this.#draw(3) > 0) return this.#connect(gone[this.#draw(gone.length)]!);
    if (this.#devices.length >= 8) return;
    const device = new Device(`w${this.#devices.length}`, 1 + this.#draw(3), this.#draw(2));
    this.#devices.push(device);
    this.#connect(device);
  }

  #connect(device: Device): void {
    const held = device.held();
    if (held.length > 0) this.seen.add('adopted');
    device.connected = true;
    this.#draining.delete(device.id);
    this.#desk.join(device.id, { slots: device.slots, resources: { gpu: device.gpu } }, held);
    this.#listen();
    for (const kept of [...device.kept]) if (device.kept.includes(kept)) this.#deliver(device, kept.event);
  }

  #connected(): Device | undefined {
    const here = this.#devices.filter((device) => device.connected);
    return here.length === 0 ? undefined : here[this.#draw(here.length)];
  }

  /** The connection breaks, the process dies, or it says goodbye. */
  #leave(): void {
    const device = this.#connected();
    if (device === undefined) return;
    const how = this.#draw(4);
    device.connected = false;
    if (how > 0) {
      device.queue.clear();
      device.kept = [];
    }
    this.#desk.leave(device.id, how === 3);
    if (how > 0)
      this.#devices.splice(this.#devices.indexOf(device), 1, new Device(`${device.id}'`, device.slots, device.gpu));
  }

  /** A worker finishes the first tasks of one of its leases. */
  #work(): void {
    const device = this.#connected();
    if (device === undefined || device.queue.size === 0) return;
    const leases = [...device.queue.values()];
    const { grant, left } = leases[this.#draw(leases.length)]!;
    const all = [...indexesOf(left.slice(0, 200))];
    const some = all.slice(0, 1 + this.#draw(this.#draw(3) === 0 ? all.length : Math.min(all.length, 3)));
    const failRate = [0, 0, 2, 1][this.#draw(4)]!;
    const failed = failRate === 0 ? [] : some.filter(() => this.#draw(failRate + 1) === 0).slice(0, 50);
    const event: OutcomesEvent = {
      kind: 'outcomes',
      worker: device.id,
      lease: grant.lease,
      job: grant.job,
      runs: runsOf(some),
      failures: failed.map((index) => ({ index, kind: 'failed', message: 'boom' })),
      elapsedMicros: some.length * [1, 1_000, 400_000, 2_000_000][this.#draw(4)]!,
    };
    device.drop(grant.lease, event.runs);
    device.kept.push({ event });
    const fate = this.#draw(8);
    // Lost on the way: the connection breaks before it arrives.
    if (fate === 0) {
      device.connected = false;
      this.#desk.leave(device.id);
    } else {
      this.#deliver(device, event, fate === 1);
    }
  }

  /** Holds the verdicts against what may be recorded. `ackLost`: the worker never hears of them. */
  #deliver(device: Device, event: OutcomesEvent, ackLost = false): void {
    const entry = this.#desk.table.jobs.get(event.job);
    const before = new Map(entry?.ended);
    const open = entry !== undefined && this.#open(event.job);
    const acks = this.#desk.post(event).filter((command) => command.kind === 'ack');
    const told = acks.flatMap(({ runs }) => [...indexesOf(runs)]).sort((a, b) => a - b);
    assert.deepEqual(told, [...indexesOf(event.runs)], 'every outcome gets exactly one verdict (R7)');
    this.#verdicts.check(event, acks, {
      before,
      open,
      fenced: entry?.job.spec.fenced ?? false,
      epoch: this.#desk.epoch,
    });
    if (!ackLost) device.kept = device.kept.filter((kept) => kept.event !== event);
    this.#listen();
  }

  #open(job: number): boolean {
    const { state } = this.#desk.progress(job);
    return state === 'active' || state === 'paused';
  }

  #resend(): void {
    const device = this.#connected();
    const kept = device?.kept[0];
    if (device !== undefined && kept !== undefined) this.#deliver(device, kept.event);
  }

  #answerRecall(): void {
    const recall = this.#recalls.shift();
    const device = this.#devices.find(({ id }) => id === recall?.worker);
    const entry = recall === undefined ? undefined : device?.queue.get(recall.lease);
    if (recall === undefined || device === undefined || entry === undefined || !device.connected) return;
    const left = [...indexesOf(entry.left)];
    const asked = new Set(indexesOf(recall.runs));
    const back = runsOf(left.filter((index) => asked.has(index) && this.#draw(5) > 0).slice(0, 4_096));
    if (back.length === 0) return;
    device.drop(recall.lease, back);
    this.#desk.release(entry.grant, back);
  }

  #answerClaim(): void {
    const claim = this.#claims.shift();
    if (claim === undefined || claim.kind !== 'claimMore') return;
    if (this.#open(claim.job)) this.#desk.claim(claim);
  }

  #pass(): void {
    const millis = [1, 20, 300, 1_500, 6_000, 26_000, 70_000][this.#draw(7)]!;
    // Some are heard of meanwhile, some are not.
    const heard = this.#devices.filter((device) => device.connected && this.#draw(3) > 0).map(({ id }) => id);
    if (this.#draw(4) === 0) this.#desk.pass(millis);
    else this.#desk.passSlowly(millis, ...heard);
  }

  /** Outcomes of leases that this worker never had (F-8). */
  #forge(): void {
    const device = this.#connected();
    const others = [...this.#verdicts.issued.values()].filter((grant) => grant.worker !== device?.id);
    if (device === undefined) return;
    const victim = others.length > 0 && this.#draw(2) === 0 ? others[this.#draw(others.length)]! : undefined;
    const lease = victim?.lease ?? 2 ** 45 + this.#draw(1_000);
    const runs = victim === undefined ? [{ start: 0, count: 1 }] : [victim.runs[0]!];
    const job = victim?.job ?? 1;
    this.#deliver(device, { kind: 'outcomes', worker: device.id, lease, job, runs, failures: [], elapsedMicros: 1 });
  }

  #manage(): void {
    const device = this.#connected();
    if (device === undefined) return;
    if (this.#draw(4) === 0) {
      this.#desk.post({ kind: 'workerStopped', request: 1, worker: device.id });
      device.connected = false;
      device.queue.clear();
      device.kept = [];
      return;
    }
    const drain = !this.#draining.has(device.id);
    if (drain) this.#draining.add(device.id);
    else this.#draining.delete(device.id);
    this.#desk.post({ kind: 'workerDrained', request: 1, worker: device.id, drain });
  }

  #restart(): void {
    this.#claims.length = 0;
    this.#recalls.length = 0;
    this.#draining.clear();
    for (const device of this.#devices) device.connected = false;
    this.#desk.restart();
  }

  #watch(command: Command, event: Event): void {
    if (command.kind === 'grant') this.#checkGrant(command);
    if (command.kind !== 'write') return;
    const { write } = command;
    if (write.kind === 'segment' && write.made === undefined) {
      assert.ok(event.kind === 'outcomes');
      assert.deepEqual(subtractRuns(write.segment.runs, event.runs), [], 'a segment holds only tasks of its event');
      assert.equal(
        this.#verdicts.issued.get(write.segment.lease)?.worker,
        event.worker,
        'recorded for whom it was issued to (S3)',
      );
    }
    if (write.kind === 'segment' && write.made !== undefined) this.seen.add('poison');
    if (write.kind === 'attempt' && write.attempt.outcome !== 'superseded')
      this.seen.add(write.attempt.outcome === 'lost' ? 'lost' : 'retried');
    if (write.kind === 'progress' && write.progress.state === 'failed') this.seen.add('job failed');
  }

  #checkGrant(grant: Grant): void {
    const device = this.#devices.find(({ id }) => id === grant.worker);
    const job = this.#jobs.find(({ id }) => id === grant.job);
    assert.ok(
      device?.connected === true && !this.#draining.has(grant.worker),
      'granted to whom it can be granted (R24)',
    );
    assert.ok(
      job !== undefined && !this.#cancelled.has(grant.job) && !job.paused,
      'granted while it may run (R12, R13)',
    );
    const { ended } = this.#desk.table.of(grant.job);
    for (const index of indexesOf(grant.runs)) assert.ok(!ended.has(index), `task ${index} has ended`);
    this.#verdicts.issue(grant);
  }

  /** Takes in what the scheduler said. */
  #listen(): void {
    for (const command of this.#desk.sent()) {
      const device = 'worker' in command ? this.#devices.find(({ id }) => id === command.worker) : undefined;
      if (command.kind === 'grant' && device?.connected) {
        device.queue.set(command.lease, { grant: command, left: [...command.runs] });
        this.#checkRoom(device);
      } else if (command.kind === 'claimMore') {
        this.#claims.push(command);
        this.seen.add('claimMore');
      } else if (command.kind === 'recall') {
        this.#recalls.push(command);
        this.seen.add('recall');
      } else if (command.kind === 'revoke' && device !== undefined) {
        device.drop(command.lease, command.runs);
        this.seen.add('revoke');
      }
    }
    for (const job of this.#jobs) if (!this.#open(job.id)) job.over = true;
  }

  /** Tasks of several slots or with resources never run beside more than the worker has (R18). */
  #checkRoom(device: Device): void {
    let cpus = 0;
    let gpus = 0;
    let heavy = false;
    for (const { grant } of device.queue.values()) {
      const { spec } = this.#desk.table.of(grant.job).job;
      cpus += spec.cpus;
      gpus += spec.resources['gpu'] ?? 0;
      heavy ||= spec.cpus > 1 || spec.resources['gpu'] !== undefined;
    }
    assert.ok(gpus <= device.gpu, `${device.id} runs with ${gpus} of ${device.gpu} (R18)`);
    if (heavy) assert.ok(cpus <= device.slots, `${device.id} runs ${cpus} on ${device.slots} slots (R18)`);
  }

  /** From here on nobody fails any more: every job must come to its end (L1). */
  heal(): void {
    for (const job of this.#jobs) {
      if (job.over) continue;
      const { open, paused } = job;
      job.open = false;
      job.paused = false;
      if (open) this.#desk.close(job.id, job.inputs);
      if (paused && this.#open(job.id)) this.#desk.request('jobResumed', job.id);
    }
    for (const device of this.#devices) {
      if (device.connected) this.#desk.leave(device.id, true);
      device.connected = false;
    }
    this.#listen();
    this.#devices.length = 0;
    this.#draining.clear();
    for (const id of ['good', 'better']) {
      const device = new Device(id, 3, 1);
      this.#devices.push(device);
      this.#connect(device);
    }
    for (let round = 0; this.#jobs.some((job) => !job.over); round++) {
      assert.ok(round < 5_000, 'every job comes to its end (L1)');
      this.#healStep();
    }
    this.#desk.pass(0);
    assert.equal(this.#desk.table.leases.size, 0, 'no lease outlives its job');
    assert.deepEqual(this.#desk.scheduler.jobs(), []);
  }

  #healStep(): void {
    while (this.#claims.length > 0) this.#answerClaim();
    this.#recalls.length = 0;
    let worked = false;
    for (const device of this.#devices) {
      for (const { grant, left } of [...device.queue.values()]) {
        worked = true;
        device.queue.delete(grant.lease);
        const { worker, lease, job } = grant;
        this.#deliver(device, { kind: 'outcomes', worker, lease, job, runs: left, failures: [], elapsedMicros: 1_000 });
      }
    }
    this.#listen();
    if (!worked) this.#desk.passSlowly(5_000, 'good', 'better');
    this.#listen();
  }
}
