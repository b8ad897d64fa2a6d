import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, Millis } from '../model/ids.ts';
import { hasEnded, type JobProgress } from '../model/job.ts';
import { INPUT_WINDOW_BYTES } from '../model/limits.ts';
import type { Answer, ClientWelcome, ResultBatch } from '../protocol/client-messages.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { type Failure, ServerList } from '../protocol/server-list.ts';
import { PROTOCOL } from '../protocol/version.ts';
import { Link } from './link.ts';
import type { RequestMessage, SessionEffect, SessionInput } from './session-io.ts';
import { StreamState } from './stream-state.ts';

/** Close codes: a broken rule; a server that fell silent, or is busy; a normal end; a version that is not spoken. */
const BROKEN_RULE = 4400;
const SILENT = 4408;
const TRY_AGAIN = 4503;
const GOODBYE = 1000;
const UPGRADE = 4426;

type Received = Extract<SessionInput, { kind: 'message' }>;

interface Waiting {
  readonly message: RequestMessage;
  readonly column: PackedColumn | undefined;
  /** Sent on a connection before this one, so that the server may have done it already. */
  resent: boolean;
}

/**
 * A client without its surroundings: no clock, timer, socket or promise. `handle` is the only door: something happened,
 * here is what shall be done. Node, browsers and the simulator run the same one.
 */
export class Session {
  readonly #link = new Link();
  readonly #servers: ServerList;
  /** The one that has welcomed it, once it has. */
  #farm: string | undefined;
  /** How often what that farm stored had gone back in time by then. */
  #history = 0;
  /** Behind the name of the server that it is with are others. */
  #others = false;
  /** In the order in which they were made, which is the order in which they are sent again (P16). */
  readonly #waiting = new Map<number, Waiting>();
  readonly #streams = new Map<number, StreamState>();
  readonly #follows = new Map<JobId, RequestMessage>();
  #numbers = 0;
  #inputBytes = 0;
  #effects: SessionEffect[] = [];

  /** `servers`: addresses of the farm's, in the order in which they are tried (P29). */
  constructor(servers: readonly string[]) {
    this.#servers = new ServerList(servers);
  }

  /** The number of the next request. */
  newNumber(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  /** When `tick` is due, on the clock of `now`; undefined: not at all. */
  get wakeAt(): Millis | undefined {
    return this.#link.wakeAt;
  }

  get ended(): boolean {
    return this.#link.state === 'ended';
  }

  /** Whether the server has ever welcomed this client. */
  get joined(): boolean {
    return this.#link.joined;
  }

  /** Bytes of inputs that may be sent before an answer; zero or less: wait for `room`. */
  get inputRoom(): number {
    return INPUT_WINDOW_BYTES - this.#inputBytes;
  }

  /** Whether it waits for anything: an answer, results, or progress. */
  get idle(): boolean {
    return this.#waiting.size === 0 && this.#streams.size === 0 && this.#follows.size === 0;
  }

  /** `chance`: evenly drawn from 0 up to and without 1. */
  handle(input: SessionInput, now: Millis, chance: number): SessionEffect[] {
    if (this.#link.state === 'ended') return [];
    this.#effects = [];
    try {
      this.#step(input, now, chance);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#breakOff(BROKEN_RULE, error.message, now, chance);
    }
    return this.#effects;
  }

  #step(input: SessionInput, now: Millis, chance: number): void {
    switch (input.kind) {
      case 'start':
        return this.#connect(now);
      case 'connected':
        this.#others = input.others === true;
        return this.#link.heard(now);
      case 'heard':
        this.#worked();
        return this.#link.heard(now);
      case 'disconnected':
        return this.#lost(input, now, chance, input.another);
      case 'message':
        this.#link.heard(now);
        return this.#message(input, now, chance);
      case 'garbage':
        return this.#breakOff(BROKEN_RULE, input.detail, now, chance);
      case 'request':
        return this.#request(input.message, input.column);
      case 'consumed':
        return this.#consumed(input.stream, input.bytes);
      case 'unsubscribe':
        return this.#unsubscribe(input.stream);
      case 'unfollow':
        this.#follows.delete(input.job);
        return;
      case 'tick':
        if (this.#link.isSilent(now)) this.#breakOff(SILENT, 'the server has been silent for too long', now, chance);
        else if (this.#link.mayRetry(now)) this.#connect(now);
        if (this.#link.takeProbe(now)) this.#emit({ kind: 'ping' });
        return;
      case 'hurry':
        if (this.#link.state === 'waiting') this.#connect(now);
        return;
      case 'stop':
        if (this.#link.connected) this.#emit({ kind: 'disconnect', code: GOODBYE, reason: 'the client is done' });
        return this.#ended(input.reason, false);
    }
  }

  #message({ message, column, bytes }: Received, now: Millis, chance: number): void {
    if (message.kind === 'clientWelcome') return this.#welcomed(message, now, chance);
    if (this.#link.state !== 'open') throw new ProtocolError('invalid', `a ${message.kind} came before the welcome`);
    // What was asked after it may depend on it, so all of it is asked again, in order: as after a lost connection.
    if (message.kind === 'answer' && message.code === 'busy' && this.#isMine(message.request)) {
      return this.#breakOff(TRY_AGAIN, message.message ?? 'the server is busy', now, chance);
    }
    this.#worked();
    switch (message.kind) {
      case 'answer':
        return this.#answered(message);
      case 'resultBatch':
        return this.#batch(message, column, bytes);
      case 'resultMark':
        if (!this.#streams.has(message.stream)) return;
        this.#streams.get(message.stream)?.mark(message.next);
        return this.#emit({ kind: 'mark', stream: message.stream, next: message.next });
      case 'resultsEnd': {
        const progress = progressIn(message.progress);
        // A stream that was given up may still end.
        if (!this.#streams.delete(message.stream)) return;
        this.#waiting.delete(message.stream);
        return this.#emit({ kind: 'streamEnded', stream: message.stream, progress });
      }
      case 'progressNote': {
        const progress = progressIn(message.progress);
        if (!this.#follows.has(message.job)) return;
        if (hasEnded(progress.state)) this.#follows.delete(message.job);
        const { job, running, waiting } = message;
        return this.#emit({ kind: 'progress', job, progress, running, waiting });
      }
    }
  }

  #welcomed({ protocol, farm, servers, history = 0 }: ClientWelcome, now: Millis, chance: number): void {
    if (protocol !== PROTOCOL) {
      const advice = protocol > PROTOCOL ? 'update manyhands here' : 'update the server';
      const reason = `the server speaks protocol ${protocol}, this client ${PROTOCOL}: ${advice}`;
      this.#emit({ kind: 'disconnect', code: UPGRADE, reason: 'another protocol' });
      return this.#lost({ reason, fatal: true }, now, chance);
    }
    // A number there names another job.
    const several = this.#servers.several || this.#others;
    if (several && this.#farm !== undefined && farm !== this.#farm)
      return this.#breakOff(GOODBYE, 'it is of another farm than this program has begun with', now, chance);
    if (servers !== undefined) this.#servers.told(servers, chance);
    this.#link.welcomed(now, this.#servers.several || this.#others);
    const wentBack = farm === this.#farm && history > this.#history;
    this.#farm = farm;
    this.#history = history;
    this.#emit({ kind: 'status', status: { state: 'joined', farm, server: this.#servers.current } });
    this.#sendAll();
    if (wentBack) this.#emit({ kind: 'wentBack' });
  }

  #worked(): void {
    this.#link.worked();
    if (this.#link.state === 'open') this.#servers.worked();
  }

  /** After a connect: what was never sent, and what was sent but not answered; then streams and follows that live on. */
  #sendAll(): void {
    for (const [request, waiting] of this.#waiting) {
      if (!this.#streams.has(request)) this.#send(waiting.message, waiting.column);
    }
    for (const stream of this.#streams.values()) this.#send(stream.resume());
    for (const message of this.#follows.values()) if (!this.#waiting.has(message.request)) this.#send(message);
  }

  /** A repetition, or the answer of something given up, is not. */
  #isMine(request: number): boolean {
    return this.#waiting.has(request) || this.#streams.has(request);
  }

  #request(message: RequestMessage, column: PackedColumn | undefined): void {
    this.#waiting.set(message.request, { message, column, resent: false });
    if (message.kind === 'results') this.#streams.set(message.request, new StreamState(message));
    if (message.kind === 'status' && message.follow === true) this.#follows.set(message.job, message);
    if (message.kind === 'inputs') this.#inputBytes += column?.length ?? 0;
    if (this.#link.state === 'open') this.#send(message, column);
  }

  #answered(answer: Answer): void {
    const { request } = answer;
    const stream = this.#streams.has(request);
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    if (stream) return this.#streamAnswered(answer);
    if (waiting === undefined) return this.#followAnswered(answer);
    this.#forgetFollow(waiting.message, answer);
    this.#emit({ kind: 'answered', answer: settled(waiting, answer) });
    if (waiting.message.kind !== 'inputs') return;
    const full = this.inputRoom <= 0;
    this.#inputBytes -= waiting.column?.length ?? 0;
    if (full && this.inputRoom > 0) this.#emit({ kind: 'room' });
  }

  #streamAnswered(answer: Answer): void {
    if (answer.ok) return;
    this.#streams.delete(answer.request);
    const { code = 'invalid', message = 'the server gave no reason' } = answer;
    this.#emit({ kind: 'streamFailed', stream: answer.request, code, reason: message });
  }

  /** A follow that was opened again after a reconnect: the job may have moved, or ended, in between. */
  #followAnswered(answer: Answer): void {
    for (const [job, { request }] of this.#follows) {
      if (request !== answer.request) continue;
      const progress = (answer.value as { progress?: JobProgress } | undefined)?.progress;
      if (!answer.ok || progress === undefined || hasEnded(progress.state)) this.#follows.delete(job);
      if (!answer.ok || progress === undefined) {
        const { code = 'unknown', message = 'the server gave no reason' } = answer;
        return this.#emit({ kind: 'followFailed', job, code, reason: message });
      }
      return this.#emit({ kind: 'progress', job, progress, running: 0, waiting: 0 });
    }
  }

  #forgetFollow(message: RequestMessage, answer: Answer): void {
    if (message.kind !== 'status' || message.follow !== true) return;
    const progress = (answer.value as { progress?: JobProgress } | undefined)?.progress;
    if (!answer.ok || progress === undefined || hasEnded(progress.state)) this.#follows.delete(message.job);
  }

  #batch(message: ResultBatch, column: PackedColumn | undefined, bytes: number): void {
    if (column === undefined) throw new ProtocolError('invalid', 'a resultBatch without a column');
    const stream = this.#streams.get(message.stream);
    if (stream === undefined) return; // Given up.
    const batch = stream.take(message, column, bytes);
    if (batch !== undefined) return this.#emit({ kind: 'batch', batch });
    this.#send({ kind: 'credit', stream: message.stream, bytes });
  }

  #consumed(number: number, bytes: number): void {
    const credit = this.#streams.get(number)?.consumed(bytes);
    if (credit !== undefined && this.#link.state === 'open')
      this.#send({ kind: 'credit', stream: number, bytes: credit });
  }

  #unsubscribe(stream: number): void {
    if (!this.#streams.delete(stream)) return;
    this.#waiting.delete(stream);
    if (this.#link.state === 'open') this.#send({ kind: 'unsubscribe', stream });
  }

  #connect(now: Millis): void {
    this.#link.connecting(now, this.#servers.patience);
    this.#emit({ kind: 'connect', server: this.#servers.current });
  }

  #breakOff(code: number, reason: string, now: Millis, chance: number): void {
    if (this.#link.connected) this.#emit({ kind: 'disconnect', code, reason });
    this.#lost({ reason }, now, chance);
  }

  /** To the next server at once; when none is left, to the first one again after a while (P29). */
  #lost(failure: Failure, now: Millis, chance: number, another = false): void {
    if (!this.#link.connected) return;
    for (const waiting of this.#waiting.values()) waiting.resent = true;
    const { reason } = failure;
    if (another || this.#servers.failed(failure, now)) {
      this.#emit({ kind: 'status', status: { state: 'moving', reason, server: this.#servers.current } });
      return this.#connect(now);
    }
    // A farm that was never reached is a wrong address or a server that is not there: a person wants to know at once.
    if (!this.#link.joined || this.#servers.hopeless) return this.#ended(this.#servers.complaint, true);
    const retryIn = this.#link.lost(now, chance, this.#servers.startAgain(now));
    this.#emit({ kind: 'status', status: { state: 'waiting', reason, retryIn } });
  }

  #ended(reason: string, failed: boolean): void {
    this.#link.state = 'ended';
    this.#emit({ kind: 'status', status: { state: 'ended', reason, failed } });
  }

  #send(message: Extract<SessionEffect, { kind: 'send' }>['message'], column?: PackedColumn): void {
    this.#emit(column === undefined ? { kind: 'send', message } : { kind: 'send', message, column });
  }

  #emit(effect: SessionEffect): void {
    this.#effects.push(effect);
  }
}

/** Its shape is not the protocol's to check, but who has none can't be followed. (T-25) */
function progressIn(value: unknown): JobProgress {
  if (typeof value === 'object' && value !== null && 'state' in value && typeof value.state === 'string') {
    return value as JobProgress;
  }
  throw new ProtocolError('invalid', 'progress without a state');
}

/** A retry or a forget that was done before its answer was lost is refused the second time: that too is done. */
function settled({ message, resent }: Waiting, answer: Answer): Answer {
  if (answer.ok || !resent || message.kind !== 'act') return answer;
  const done =
    (message.action === 'retry' && answer.code === 'conflict') ||
    (message.action === 'forget' && answer.code === 'unknown');
  return done ? { kind: 'answer', request: answer.request, ok: true } : answer;
}
