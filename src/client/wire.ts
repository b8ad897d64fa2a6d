import { CLOSED_JOBS } from '../model/client-limits.ts';
import type { PackedColumn } from '../model/envelope.ts';
import type { JobProgress } from '../model/job.ts';
import { decodeServerToClient, encodeFrame, type Frame } from '../protocol/frames.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { FarmError } from './farm-error.ts';
import { Session } from './session.ts';
import type { RequestMessage, SessionEffect, SessionInput, SessionStatus, StreamBatch } from './session-io.ts';
import type { Surroundings } from './surroundings.ts';
import type { Closing, TransportConnection } from './transport.ts';

type WithoutNumber<Message> = Message extends unknown ? Omit<Message, 'request'> : never;
export type RequestBody = WithoutNumber<RequestMessage>;
export type ResultsBody = Extract<RequestBody, { kind: 'results' }>;

/** Who wants to hear of a result stream; called in the turn in which its message came. */
export interface StreamListener {
  batch(batch: StreamBatch): void;
  mark(next: number): void;
  ended(progress: JobProgress): void;
  failed(error: Error): void;
  /** Waiting for it alone does not keep the process alive. */
  readonly quiet?: boolean;
}

export interface ProgressReport {
  readonly progress: JobProgress;
  readonly running: number;
  readonly waiting: number;
}

/** Hears how a job goes, or why nothing more will be heard. */
export type Follower = (news: ProgressReport | FarmError) => void;

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Drives a {@link Session} with real time over a transport, and turns its answers into promises. */
export class Wire {
  readonly #around: Surroundings;
  readonly #session: Session;
  readonly #pending = new Map<number, Pending>();
  readonly #streams = new Map<number, StreamListener>();
  readonly #followers = new Map<number, Set<Follower>>();
  readonly #joined = Promise.withResolvers<string>();
  readonly #over = Promise.withResolvers<FarmError>();
  readonly #lossHearers: (() => void)[] = [];
  readonly #roomWaiters: (() => void)[] = [];
  #connection: TransportConnection | undefined;
  #alarmAt: number | undefined;
  #alarmHolds = false;
  #cancelAlarm: (() => void) | undefined;
  #holds = 0;
  #ended: FarmError | undefined;
  #lostAt: number | undefined;
  /** The one that it is with, or was last. */
  server: string;
  /** Told of every change of the connection. */
  onStatus: (status: SessionStatus) => void = () => {};

  constructor(around: Surroundings) {
    this.#around = around;
    this.#session = new Session(around.servers);
    this.server = around.servers[0] ?? '';
    this.#joined.promise.catch(() => {});
  }

  /** Resolves with the farm's name once the server has welcomed this client; rejects if the first attempt fails. */
  start(): Promise<string> {
    this.hold();
    const joined = this.#joined.promise.finally(() => this.release());
    this.#handle({ kind: 'start' });
    return joined;
  }

  /** Resolves with the answer's value when it is on disk there; rejects with a {@link FarmError}. */
  request(body: RequestBody, column?: PackedColumn): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const request = this.#session.newNumber();
      this.#pending.set(request, { resolve, reject });
      this.hold();
      const message = { ...body, request } as RequestMessage;
      this.#handle(column === undefined ? { kind: 'request', message } : { kind: 'request', message, column });
    });
  }

  /** The stream's number. */
  openStream(body: ResultsBody, listener: StreamListener): number {
    const request = this.#session.newNumber();
    if (this.#ended !== undefined) {
      const error = this.#ended;
      this.#around.defer(() => listener.failed(error));
      return request;
    }
    this.#streams.set(request, listener);
    if (listener.quiet !== true) this.hold();
    this.#handle({ kind: 'request', message: { ...body, request } });
    return request;
  }

  consumed(stream: number, bytes: number): void {
    this.#handle({ kind: 'consumed', stream, bytes });
  }

  closeStream(stream: number): void {
    if (this.#forgetStream(stream) !== undefined) this.#handle({ kind: 'unsubscribe', stream });
  }

  /** Hears of a job's progress until the returned function is called, once `status` with `follow` was asked. */
  follow(job: number, hear: Follower): () => void {
    let followers = this.#followers.get(job);
    if (followers === undefined) this.#followers.set(job, (followers = new Set()));
    followers.add(hear);
    this.hold();
    return () => {
      if (!followers.delete(hear)) return;
      this.release();
      if (followers.size > 0 || this.#followers.get(job) !== followers) return;
      this.#followers.delete(job);
      this.#handle({ kind: 'unfollow', job });
    };
  }

  /** Calls it whenever what was stored went back in time (P31): of all that were given, those that came last. */
  whenWentBack(hear: () => void): void {
    this.#lossHearers.push(hear);
    if (this.#lossHearers.length > CLOSED_JOBS) this.#lossHearers.shift();
  }

  /** Undefined: inputs may be sent now. */
  room(): Promise<void> | undefined {
    if (this.#session.inputRoom > 0 || this.#ended !== undefined) return undefined;
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** Keeps the process alive until as many releases. */
  hold(): void {
    this.#holds += 1;
    if (this.#holds === 1) this.#applyHold();
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0) this.#applyHold();
  }

  /** Set once it has stopped for good. */
  get ended(): FarmError | undefined {
    return this.#ended;
  }

  /** Resolves when it stops for good. */
  get whenEnded(): Promise<FarmError> {
    return this.#over.promise;
  }

  /** Milliseconds since the connection was lost; 0: it is there. */
  get lostFor(): number {
    return this.#lostAt === undefined ? 0 : this.#around.now() - this.#lostAt;
  }

  /** Tries to connect now, where it waits to. */
  hurry(): void {
    this.#handle({ kind: 'hurry' });
  }

  stop(reason: string): void {
    this.#handle({ kind: 'stop', reason });
  }

  #handle(input: SessionInput): void {
    const now = this.#around.now();
    for (const effect of this.#session.handle(input, now, this.#around.chance())) this.#perform(effect);
    this.#arm(now);
  }

  #perform(effect: SessionEffect): void {
    switch (effect.kind) {
      case 'send':
        this.#connection?.send(encodeFrame(effect.message, effect.column));
        return;
      case 'batch':
        this.#streams.get(effect.batch.stream)?.batch(effect.batch);
        return;
      case 'answered': {
        const { request, ok, value, code, message } = effect.answer;
        const pending = this.#pending.get(request);
        this.#pending.delete(request);
        this.release();
        if (ok) pending?.resolve(value);
        else pending?.reject(new FarmError(code ?? 'invalid', message ?? 'the server refused without a reason'));
        return;
      }
      case 'mark':
        this.#streams.get(effect.stream)?.mark(effect.next);
        return;
      case 'streamEnded':
        this.#forgetStream(effect.stream)?.ended(effect.progress);
        return;
      case 'streamFailed':
        this.#forgetStream(effect.stream)?.failed(new FarmError(effect.code, effect.reason));
        return;
      case 'progress':
        return this.#tellFollowers(effect.job, effect);
      case 'followFailed':
        return this.#tellFollowers(effect.job, new FarmError(effect.code, effect.reason));
      case 'wentBack':
        for (const hear of [...this.#lossHearers]) hear();
        return;
      case 'room':
        for (const go of this.#roomWaiters.splice(0)) go();
        return;
      case 'connect':
        return this.#connect(effect.server);
      case 'ping':
        return this.#connection?.ping?.();
      case 'disconnect':
        this.#connection?.close(effect.code, effect.reason);
        this.#connection = undefined;
        return;
      case 'status':
        return this.#status(effect.status);
    }
  }

  #connect(server: string): void {
    const connection = this.#around.transport.open(server, {
      opened: (others = false) => this.#handle({ kind: 'connected', others }),
      frame: (frame) => this.#received(frame),
      heard: () => this.#handle({ kind: 'heard' }),
      closed: (closing: Closing) => {
        this.#connection = undefined;
        this.#handle({ kind: 'disconnected', ...closing });
      },
    });
    this.#connection = connection;
    connection.hold(this.#holds > 0);
  }

  #received(frame: Frame): void {
    let input: SessionInput;
    try {
      const { message, column } = decodeServerToClient(frame);
      const bytes = frame.length;
      input = column === undefined ? { kind: 'message', message, bytes } : { kind: 'message', message, column, bytes };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      input = { kind: 'garbage', detail: error.message };
    }
    this.#handle(input);
  }

  #status(status: SessionStatus): void {
    this.onStatus(status);
    if (status.state === 'waiting' || status.state === 'moving') this.#lostAt ??= this.#around.now();
    if (status.state === 'joined') {
      this.#lostAt = undefined;
      this.server = status.server;
      this.#around.joined?.(status.server);
      this.#joined.resolve(status.farm);
    }
    if (status.state !== 'ended') return;
    const error = new FarmError(status.failed ? 'unreachable' : 'closed', status.reason);
    this.#ended = error;
    this.#over.resolve(error);
    this.#joined.reject(error);
    this.#lossHearers.length = 0;
    for (const [request, pending] of this.#pending) {
      this.#pending.delete(request);
      this.release();
      pending.reject(error);
    }
    for (const stream of [...this.#streams.keys()]) this.#forgetStream(stream)?.failed(error);
    for (const go of this.#roomWaiters.splice(0)) go();
    for (const job of [...this.#followers.keys()]) this.#tellFollowers(job, error);
  }

  #tellFollowers(job: number, news: ProgressReport | FarmError): void {
    for (const hear of [...(this.#followers.get(job) ?? [])]) hear(news);
  }

  #forgetStream(stream: number): StreamListener | undefined {
    const listener = this.#streams.get(stream);
    if (listener === undefined) return undefined;
    this.#streams.delete(stream);
    if (listener.quiet !== true) this.release();
    return listener;
  }

  #applyHold(): void {
    this.#connection?.hold(this.#holds > 0);
    if (this.#connection === undefined) this.#arm(this.#around.now());
  }

  /** A deadline moves with every message, so an alarm that is set too early is left alone and set again when it fires. */
  #arm(now: number): void {
    const wakeAt = this.#session.wakeAt;
    const holds = this.#connection === undefined && this.#holds > 0;
    if (wakeAt === undefined) {
      this.#cancelAlarm?.();
      this.#cancelAlarm = undefined;
      this.#alarmAt = undefined;
      return;
    }
    if (this.#alarmAt !== undefined && this.#alarmAt <= wakeAt && this.#alarmHolds === holds) return;
    this.#cancelAlarm?.();
    this.#alarmAt = wakeAt;
    this.#alarmHolds = holds;
    this.#cancelAlarm = this.#around.alarm(
      Math.max(1, wakeAt - now),
      () => {
        this.#alarmAt = undefined;
        this.#handle({ kind: 'tick' });
      },
      holds,
    );
  }
}
