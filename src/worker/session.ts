import type { PackedColumn } from '../model/envelope.ts';
import type { Millis } from '../model/ids.ts';
import { countRuns } from '../model/runs.ts';
import { readColumn } from '../protocol/column.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { type Failure, ServerList } from '../protocol/server-list.ts';
import type { WireRuns } from '../protocol/shapes.ts';
import { PROTOCOL } from '../protocol/version.ts';
import { fromWireRuns, toWireRuns, toWireSpawned } from '../protocol/wire-runs.ts';
import type { Refused, ServerToWorker, Tasks, Welcome, WorkerMessage } from '../protocol/worker-messages.ts';
import type { Delivery } from './kept.ts';
import { Link } from './link.ts';
import type { SessionEffect, SessionInput, SessionOptions } from './session-io.ts';
import { Work } from './work.ts';

/** Close codes: a broken rule; a server that fell silent; a normal end. */
const BROKEN_RULE = 4400;
const SILENT = 4408;
const GOODBYE = 1000;

/** Milliseconds after which a server has surely heard that a connection was closed. */
const HEARD_BY_THEN = 1_000;

/**
 * A worker without its surroundings: no clock, timer, socket or process. `handle` is the only door: something happened,
 * here is what shall be done. Node, browsers and the simulator run the same one.
 */
export class Session {
  #options: SessionOptions;
  readonly #link = new Link();
  readonly #servers: ServerList;
  readonly #work: Work;
  /** The one that it has joined, once it has. */
  #farm: string | undefined;
  /** Behind the name of the server that it is with are others. */
  #others = false;
  #effects: SessionEffect[] = [];
  /** Slots that it has ever had. */
  #most: number;
  /** The server drains this worker. */
  #draining = false;
  /** It leaves by itself as soon as what runs has ended and is acknowledged; why. */
  #leaving: string | undefined;
  /** Large ones, to be told to each server anew (P23). */
  #blobs: readonly string[] = [];
  /** It only rests then, and can be woken. */
  #resting = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#servers = new ServerList(options.servers);
    this.#most = options.slots;
    this.#work = new Work(
      options,
      (effect) => this.#emit(effect),
      (delivery) => this.#deliver(delivery),
    );
  }

  /** When `tick` is due, on the clock of `now`; undefined: not at all. */
  get wakeAt(): Millis | undefined {
    if (this.#link.state === 'ended') return undefined;
    const link = this.#link.wakeAt;
    const work = this.#work.wakeAt;
    return link === undefined || work === undefined ? (link ?? work) : Math.min(link, work);
  }

  get ended(): boolean {
    return this.#link.state === 'ended';
  }

  /** Whether it holds any task or unacknowledged outcome. */
  get idle(): boolean {
    return this.#work.empty;
  }

  /** `chance`: evenly drawn from 0 up to and without 1. */
  handle(input: SessionInput, now: Millis, chance: number): SessionEffect[] {
    if (this.#link.state === 'ended') return [];
    this.#effects = [];
    try {
      this.#step(input, now, chance);
    } catch (error) {
      // A column that breaks a rule is found only when it is read.
      if (!(error instanceof ProtocolError)) throw error;
      this.#breakOff(BROKEN_RULE, error.message, now, chance);
    }
    this.#leaveIfDone();
    return this.#effects;
  }

  #step(input: SessionInput, now: Millis, chance: number): void {
    switch (input.kind) {
      case 'start':
        this.#work.start();
        return this.#connect(now);
      case 'connected':
        this.#others = input.others === true;
        return this.#greet(now);
      case 'disconnected':
        return this.#lost(input, now, chance, input.another);
      case 'heard':
        return this.#heard(now);
      case 'message':
        this.#heard(now);
        return this.#message(input.message, input.column, now, chance);
      case 'garbage':
        return this.#breakOff(BROKEN_RULE, input.detail, now, chance);
      case 'codeReady':
        return this.#work.codeReady(input.sha256, now);
      case 'codeFailed':
        return this.#work.codeFailed(input.sha256, input.reason);
      case 'blobsHeld':
        this.#blobs = input.blobs;
        return this.#have();
      case 'tick':
        return this.#tick(now, chance);
      case 'resize':
        return this.#resize(input.slots, now);
      case 'sleep':
        return this.#sleep(input.reason);
      case 'rest':
        return this.#rest(input.reason);
      case 'wake':
        return this.#wake(now);
      case 'drain':
        return this.#leave(input.reason);
      case 'stop':
        return this.#end(input.reason, false);
      default:
        return this.#work.slotEvent(input, now);
    }
  }

  #tick(now: Millis, chance: number): void {
    this.#work.tick(now);
    if (this.#link.isSilent(now)) this.#breakOff(SILENT, 'the server has been silent for too long', now, chance);
    else if (this.#link.mayRetry(now)) this.#connect(now);
    if (this.#link.takeBeat(now)) this.#send({ kind: 'beat' });
    if (this.#link.takeProbe(now)) this.#emit({ kind: 'ping' });
  }

  #heard(now: Millis): void {
    this.#link.heard(now);
    if (this.#link.state === 'open') this.#servers.worked();
  }

  #connect(now: Millis): void {
    this.#emit({ kind: 'connect', server: this.#servers.current });
    this.#link.connecting(now, this.#servers.patience);
  }

  #greet(now: Millis): void {
    if (this.#link.state !== 'connecting') return;
    this.#link.state = 'greeting';
    this.#link.heard(now);
    const { key, name, device, slots, runners, labels, resources, memory, platform } = this.#options;
    this.#send({
      kind: 'hello',
      protocol: PROTOCOL,
      key,
      name,
      device,
      slots,
      runners: [...runners],
      labels: { ...labels },
      resources: { ...resources },
      ...(memory !== undefined && { memory }),
      ...(platform !== undefined && { platform }),
      held: this.#work.held().map(({ lease, runs }) => ({ lease, runs: toWireRuns(runs) })),
    });
  }

  #message(message: ServerToWorker, column: PackedColumn | undefined, now: Millis, chance: number): void {
    if (message.kind === 'refused') return this.#refused(message, now, chance);
    if (this.#link.state === 'greeting') {
      if (message.kind !== 'welcome') throw new ProtocolError('invalid', `${message.kind} came before welcome`);
      return this.#welcomed(message, now, chance);
    }
    if (this.#link.state !== 'open') return;
    switch (message.kind) {
      case 'job':
        return this.#work.noteJob(message);
      case 'tasks':
        return this.#tasks(message, column, now);
      case 'ack':
        this.#work.kept.drop(message.lease, runsIn(message));
        return this.#work.assign(now);
      case 'recall':
        return this.#release(message.lease, this.#work.takeBack(message.lease, runsIn(message)));
      case 'revoke':
        return this.#work.revoke(message.lease, runsIn(message), now);
      case 'jobOver':
        return this.#work.jobOver(message.job);
      case 'dismiss':
        return this.#dismissed(message.how);
      case 'beat':
        // That something came is all it says.
        return;
      case 'welcome':
        throw new ProtocolError('invalid', 'welcome came twice');
    }
  }

  #welcomed(welcome: Welcome, now: Millis, chance: number): void {
    if (welcome.protocol > PROTOCOL || welcome.protocol < PROTOCOL - 1) {
      throw new ProtocolError('unsupported', `the server speaks version ${welcome.protocol}, this worker ${PROTOCOL}`);
    }
    const { farm, worker, silence, pingEvery, servers } = welcome;
    // What it holds is known to nobody there; another of its servers is of its farm.
    const several = this.#servers.several || this.#others;
    if (several && !this.#work.empty && this.#farm !== undefined && farm !== this.#farm)
      return this.#breakOff(GOODBYE, 'it is of another farm than the tasks that this worker holds', now, chance);
    if (servers !== undefined) this.#servers.told(servers, chance);
    const { beats } = this.#options;
    const probes = (this.#servers.several || this.#others) && !beats;
    this.#link.welcomed(now, { silence, pingEvery, beats, probes });
    this.#farm = farm;
    this.#work.farm = farm;
    this.#work.forgetIdleJobs();
    // A server that drains this worker says so again on each connection.
    this.#draining = false;
    this.#emit({ kind: 'status', status: { state: 'joined', worker, farm, server: this.#servers.current } });
    if (this.#leaving !== undefined) this.#send({ kind: 'leaving' });
    if (this.#blobs.length > 0) this.#have();
    for (const delivery of this.#work.kept.deliveries()) this.#deliver(delivery);
    this.#work.assign(now);
  }

  #have(): void {
    this.#send({ kind: 'have', blobs: [...this.#blobs] });
  }

  #tasks(message: Tasks, packed: PackedColumn | undefined, now: Millis): void {
    const runs = runsIn(message);
    const { lease, job } = message;
    if (!this.#work.knows(job)) throw new ProtocolError('invalid', `tasks of job ${job} came before its facts`);
    if (this.#draining || this.#leaving !== undefined) return this.#release(lease, runs, 'this worker is leaving');
    const count = countRuns(runs);
    const column = packed === undefined ? undefined : readColumn(packed);
    if ((column === undefined) !== this.#work.isRange(job) || (column !== undefined && column.count !== count)) {
      throw new ProtocolError('invalid', `${count} tasks of job ${job} came with ${column?.count ?? 'no'} inputs`);
    }
    this.#work.add({ lease, job, runs, count, packed, column, alone: message.alone ?? false }, now);
  }

  #release(lease: number, runs: ReturnType<typeof runsIn>, reason?: string): void {
    if (runs.length === 0) return;
    this.#send({ kind: 'released', lease, runs: toWireRuns(runs), ...(reason !== undefined && { reason }) });
  }

  #releaseAll(reason: string): void {
    for (const { lease, runs } of this.#work.takeAllBack()) this.#release(lease, runs, reason);
  }

  #dismissed(how: 'drain' | 'undrain' | 'stop'): void {
    if (how === 'stop') return this.#end('the server stopped this worker', false);
    this.#draining = how === 'drain';
    if (!this.#draining) return this.#emit({ kind: 'status', status: { state: 'undrained' } });
    this.#releaseAll('this worker is drained');
    // To one that leaves by itself the server says so in answer, which is no news.
    if (this.#leaving !== undefined) return;
    this.#emit({
      kind: 'status',
      status: { state: 'draining', reason: 'the server drains this worker', leaving: false },
    });
  }

  #leave(reason: string): void {
    if (this.#leaving !== undefined) return;
    this.#leaving = reason;
    this.#send({ kind: 'leaving' });
    this.#releaseAll('this worker is leaving');
    this.#emit({ kind: 'status', status: { state: 'draining', reason, leaving: true } });
  }

  /** A hello is the one message that tells how many slots there are. */
  #resize(slots: number, now: Millis): void {
    if (slots === this.#options.slots) return;
    this.#most = Math.max(this.#most, slots);
    this.#options = { ...this.#options, slots };
    this.#work.resize(slots);
    if (!this.#link.connected) return;
    this.#emit({ kind: 'disconnect', code: GOODBYE, reason: 'it comes back with other slots' });
    this.#connect(now);
  }

  #rest(reason: string): void {
    if (this.#leaving !== undefined || this.#link.state === 'asleep') return;
    this.#resting = true;
    this.#leave(reason);
  }

  #wake(now: Millis): void {
    const { state } = this.#link;
    if (state === 'asleep' || state === 'waiting') return this.#connect(now);
    if (!this.#resting) return;
    this.#resting = false;
    this.#leaving = undefined;
    // To the server it is one that leaves; it comes back as one that does not, after that has been heard.
    this.#emit({ kind: 'disconnect', code: GOODBYE, reason: 'it stays after all' });
    this.#link.pause(now, HEARD_BY_THEN);
  }

  #sleep(reason: string): void {
    if (this.#link.state === 'asleep') return;
    this.#resting = false;
    this.#leaving = undefined;
    this.#releaseAll('this worker sleeps');
    if (this.#link.connected) this.#emit({ kind: 'disconnect', code: GOODBYE, reason });
    this.#link.state = 'asleep';
    this.#emit({ kind: 'status', status: { state: 'asleep', reason } });
  }

  #leaveIfDone(): void {
    if (this.#leaving === undefined || this.#link.state === 'ended' || !this.#work.empty) return;
    if (this.#resting) this.#sleep(this.#leaving);
    else this.#end(this.#leaving, false);
  }

  #refused({ code, detail, retryAfter, servers }: Refused, now: Millis, chance: number): void {
    const reason = `the server refused this worker: ${detail}`;
    // A revoked token gets no better by asking again, here or elsewhere.
    if (code === 'revoked') return this.#end(reason, true);
    if (servers !== undefined) this.#servers.told(servers, chance);
    const fatal = code === 'upgrade';
    const failure = { reason, fatal, ...(retryAfter !== undefined && { retryAfter }) };
    if (this.#link.connected) this.#emit({ kind: 'disconnect', code: GOODBYE, reason });
    if (code === 'elsewhere' && this.#servers.sentAway(failure, now)) this.#moveOn(reason, now);
    else this.#lost(failure, now, chance);
  }

  #breakOff(code: number, reason: string, now: Millis, chance: number): void {
    if (!this.#link.connected) return;
    this.#emit({ kind: 'disconnect', code, reason });
    this.#lost({ reason }, now, chance);
  }

  /** To the next server at once; when none is left, to the first one again after a while (P29). */
  #lost(failure: Failure, now: Millis, chance: number, another = false): void {
    if (!this.#link.connected) return;
    const { reason } = failure;
    if (another || this.#servers.failed(failure, now)) return this.#moveOn(reason, now);
    // Who cannot join at all should hear of it at once; who has joined comes back.
    if (!this.#link.joined || this.#servers.hopeless) {
      this.#link.state = 'waiting';
      return this.#end(this.#servers.complaint, true);
    }
    const retryIn = this.#link.lost(now, chance, this.#servers.startAgain(now));
    this.#emit({ kind: 'status', status: { state: 'waiting', reason, retryIn } });
  }

  #moveOn(reason: string, now: Millis): void {
    this.#emit({ kind: 'status', status: { state: 'moving', reason, server: this.#servers.current } });
    this.#connect(now);
  }

  /** For good: its processes are killed, whatever they do. */
  #end(reason: string, failed: boolean): void {
    if (this.#link.state === 'open') this.#send({ kind: 'bye', reason: reason.slice(0, 256) });
    if (this.#link.connected) this.#emit({ kind: 'disconnect', code: GOODBYE, reason });
    this.#link.state = 'ended';
    this.#work.close();
    for (let slot = 0; slot < this.#most; slot++) this.#emit({ kind: 'killSlot', slot });
    this.#emit({ kind: 'status', status: { state: 'ended', reason, failed } });
  }

  #deliver({ lease, job, runs, micros, column, spawned }: Delivery): void {
    if (this.#link.state !== 'open') return;
    const message = { kind: 'outcomes', lease, job, runs: toWireRuns(runs), micros } as const;
    const more = spawned === undefined ? {} : { spawned: toWireSpawned(spawned) };
    this.#emit({ kind: 'send', message: { ...message, ...more }, column });
  }

  #send(message: WorkerMessage): void {
    this.#emit({ kind: 'send', message });
  }

  #emit(effect: SessionEffect): void {
    // What cannot be sent now is either kept, or of no use later.
    if (effect.kind === 'send' && effect.message.kind !== 'hello' && this.#link.state !== 'open') return;
    this.#effects.push(effect);
  }
}

function runsIn(message: { readonly kind: string; readonly runs: WireRuns }) {
  const runs = fromWireRuns(message.runs);
  if (runs === undefined) throw new ProtocolError('invalid', `the runs of ${message.kind} are not sorted and disjoint`);
  return runs;
}
