import { createHash } from 'node:crypto';
import type { PackedColumn } from '../../model/envelope.ts';
import type { WorkerId } from '../../model/ids.ts';
import type { CodeRef } from '../../model/job.ts';
import { indexesOf } from '../../model/runs.ts';
import { failedPositions, readColumn } from '../../protocol/column.ts';
import { encodeFrame, encodeJsonFrame, type Frame } from '../../protocol/frames.ts';
import { itemTexts } from '../../protocol/json-frames.ts';
import { fromWireRuns } from '../../protocol/shapes.ts';
import type { WorkerMessage } from '../../protocol/worker-messages.ts';
import type { Runner } from '../../worker/runner.ts';
import { Session } from '../../worker/session.ts';
import type { SessionEffect, SessionInput, WorkerStatus } from '../../worker/session-io.ts';
import type { Link, NodeEnd } from './link.ts';
import { addressesOf, Life, type Machine, numberAt } from './machine.ts';
import { brief } from './message-observer.ts';
import { Mischief } from './mischief.ts';
import { ModelRunner } from './model-runner.ts';
import type { WorkerPlan } from './plan.ts';
import { callOff, type Happening } from './world.ts';

export interface WorkerEvents {
  /** The session is over: it could not join, was stopped, or has left. */
  ended(life: WorkerLife, failed: boolean): void;
  /** A task has killed the whole process. */
  poisoned(life: WorkerLife, job: number, index: number): void;
}

/** Milliseconds between two tries of a transfer. */
const TRANSFER_PAUSE = [250, 5_000] as const;

/** One worker process: the real session, with a modelled socket, clock and task processes. */
export class WorkerLife extends Life {
  readonly session: Session;
  readonly runner: Runner;
  /** Its name on the farm, once it has joined. */
  id: WorkerId | undefined;
  readonly #plan: WorkerPlan;
  readonly #events: WorkerEvents;
  readonly #mischief: Mischief | undefined;
  #link: Link | undefined;
  #end: NodeEnd | undefined;
  #tick: Happening | undefined;
  #tickAt = 0;

  constructor(machine: Machine, plan: WorkerPlan, key: string, events: WorkerEvents) {
    super(machine);
    this.#plan = plan;
    this.#events = events;
    this.session = new Session({
      key,
      servers: addressesOf(machine),
      name: machine.name,
      device: plan.device,
      slots: plan.slots,
      runners: ['js'],
      labels: plan.labels,
      resources: plan.resources,
      beats: plan.json || plan.device === 'browser',
    });
    this.runner = new ModelRunner(this, plan, {
      report: (event) => this.handle(event),
      poisoned: (job, index) => events.poisoned(this, job, index),
    });
    if (plan.character !== 'honest') this.#mischief = new Mischief(machine, plan.character, () => this.id);
  }

  handle(input: SessionInput): void {
    if (!this.alive) return;
    const now = this.machine.now();
    for (const effect of this.session.handle(input, now, this.machine.random.next())) this.#perform(effect);
    this.#arm(now);
  }

  /** The process is gone; what it sent may still arrive. */
  override end(): void {
    super.end();
    callOff(this.#tick);
    this.#link?.close('the worker is gone');
  }

  /** Its socket breaks, as it notices, and what it sent last comes late. */
  dropLink(): void {
    const link = this.#link;
    if (link === undefined) return;
    link.close('it changes networks');
    this.#gone('the network changed');
  }

  #perform(effect: SessionEffect): void {
    switch (effect.kind) {
      case 'send':
        return this.#send(effect.message, effect.column);
      case 'connect':
        return this.#connect(effect.server);
      case 'ping':
        return this.#link?.ping();
      case 'disconnect':
        this.#end = undefined;
        this.#link?.close(effect.reason);
        this.#link = undefined;
        return;
      case 'fetchCode':
        return this.#fetchCode(effect.code, effect.inline);
      case 'startSlot':
        return this.runner.startSlot(effect.slot);
      case 'runChunk':
        return this.runner.runChunk(effect.slot, effect.chunk, effect.job);
      case 'abortChunk':
        return this.runner.abortChunk(effect.slot, effect.chunk);
      case 'killSlot':
        return this.runner.killSlot(effect.slot);
      case 'forgetJob':
        return this.runner.forgetJob(effect.job);
      case 'status':
        return this.#status(effect.status);
    }
  }

  #connect(server: string): void {
    const { network } = this.machine.stage;
    const { name, who } = this.machine;
    const mine = () => this.#end === end;
    const end: NodeEnd = {
      inside: (run) => this.inside(() => mine() && run()),
      opened: () => this.handle({ kind: 'connected' }),
      frame: (_frame, decoded) => {
        if (decoded !== undefined) this.handle({ kind: 'message', ...decoded });
      },
      pinged: () => this.handle({ kind: 'heard' }),
      closed: (reason) => this.#gone(reason),
    };
    this.#end = end;
    const asking = { kind: 'worker', json: this.#plan.json, node: name, who, server: numberAt(server) } as const;
    network.connect(asking, end, (link) => {
      if (this.alive && mine()) this.#link = link;
      else link.close('given up');
    });
  }

  #gone(reason: string): void {
    this.#end = undefined;
    this.#link = undefined;
    this.handle({ kind: 'disconnected', reason });
  }

  #send(message: WorkerMessage, column: PackedColumn | undefined): void {
    const link = this.#link;
    if (link === undefined) return;
    this.machine.stage.world.note(() => `${this.machine.name.padEnd(7)} → server: ${brief(message)}`);
    if (message.kind === 'outcomes' && column !== undefined) this.#noteFailures(message, column);
    if (message.kind === 'released') this.machine.stage.observer.messages.released(message.lease, message.runs);
    const frame = this.#encode(message, column);
    if (this.#mischief === undefined || this.machine.stage.healed) return link.send(frame);
    for (const each of this.#mischief.frames(message, frame, (fake, bytes) => this.#encode(fake, bytes)))
      link.send(each);
  }

  #encode(message: WorkerMessage, column: PackedColumn | undefined): Frame {
    if (!this.#plan.json) return encodeFrame(message, column);
    return encodeJsonFrame(message, column === undefined ? undefined : itemTexts(readColumn(column)).map(known));
  }

  #noteFailures(message: WorkerMessage & { kind: 'outcomes' }, packed: PackedColumn): void {
    const failed = failedPositions(readColumn(packed));
    if (failed.length === 0) return;
    const indexes = [...indexesOf(fromWireRuns(message.runs) ?? [])];
    const { messages } = this.machine.stage.observer;
    messages.failed(
      message.job,
      failed.map((position) => indexes[position] as number),
    );
  }

  #fetchCode({ sha256 }: CodeRef, inline: string | undefined): void {
    const { network, world } = this.machine.stage;
    if (inline !== undefined) {
      const found = createHash('sha256').update(inline).digest('hex');
      if (found !== sha256) world.fail('S5', `code ${sha256} came inline as ${found}`);
      this.after(0.5, () => this.handle({ kind: 'codeReady', sha256 }));
      return;
    }
    const { blobs } = this.machine.stage.data;
    const { name, who } = this.machine;
    network.request(
      who,
      this,
      name,
      async () => ((await blobs.read(sha256)) === undefined ? 'gone' : 'here'),
      (answer) => {
        if (answer === 'here') return this.handle({ kind: 'codeReady', sha256 });
        if (answer === 'gone') return this.handle({ kind: 'codeFailed', sha256, reason: 'there is no such code' });
        world.sometimes('code had to be fetched again');
        this.after(this.machine.random.between(...TRANSFER_PAUSE), () => this.#fetchCode(codeNamed(sha256), undefined));
      },
    );
  }

  #status(status: WorkerStatus): void {
    const { world } = this.machine.stage;
    world.note(() => `${this.machine.name.padEnd(7)} is ${brief({ kind: status.state, ...status })}`);
    if (status.state === 'joined') this.id = status.worker;
    if (status.state === 'ended') this.#events.ended(this, status.failed);
  }

  /** The session says when it wants to look at the time; an alarm that is set too early does no harm. */
  #arm(now: number): void {
    const wakeAt = this.alive ? this.session.wakeAt : undefined;
    if (wakeAt === undefined) {
      callOff(this.#tick);
      this.#tick = undefined;
      return;
    }
    if (this.#tick?.run !== undefined && this.#tickAt <= wakeAt) return;
    callOff(this.#tick);
    this.#tickAt = wakeAt;
    this.#tick = this.after(Math.max(0.1, wakeAt - now), () => {
      this.#tick = undefined;
      this.handle({ kind: 'tick' });
    });
  }
}

function known(text: string | undefined): string {
  if (text === undefined) throw new Error('a result that is no JSON');
  return text;
}

function codeNamed(sha256: string): CodeRef {
  return { runner: 'js', sha256, size: 0, sourceName: '' };
}
