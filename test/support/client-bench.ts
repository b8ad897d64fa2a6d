import { Session } from '../../src/client/session.ts';
import type { RequestMessage, SessionEffect, SessionInput, SessionStatus } from '../../src/client/session-io.ts';
import type { JobProgress } from '../../src/model/job.ts';
import type { ServerToClient } from '../../src/protocol/client-messages.ts';
import { packColumn } from '../../src/protocol/column.ts';
import { encodeColumn } from '../../src/protocol/values/column.ts';

type Effect<Kind extends SessionEffect['kind']> = Extract<SessionEffect, { kind: Kind }>;
type WithoutNumber<Message> = Message extends unknown ? Omit<Message, 'request'> : never;

/** A client's session with a clock in the hand of the test; it collects what the session wants. */
export class ClientBench {
  now = 1_000;
  chance = 0.5;
  readonly session: Session;
  #effects: SessionEffect[] = [];

  constructor(servers: readonly string[] = ['http://a/']) {
    this.session = new Session(servers);
  }

  handle(input: SessionInput): void {
    this.#effects.push(...this.session.handle(input, this.now, this.chance));
  }

  say(message: ServerToClient, column?: Uint8Array, bytes = 100): void {
    this.handle({ kind: 'message', message, bytes, ...(column && { column }) });
  }

  /** Returns the request's number. */
  ask(body: WithoutNumber<RequestMessage>, column?: Uint8Array): number {
    const request = this.session.newNumber();
    this.handle({ kind: 'request', message: { ...body, request } as RequestMessage, ...(column && { column }) });
    return request;
  }

  answer(request: number, value?: unknown): void {
    this.say({ kind: 'answer', request, ok: true, ...(value !== undefined && { value }) });
  }

  refuse(request: number, code: string): void {
    this.say({ kind: 'answer', request, ok: false, code, message: `it is ${code}` });
  }

  /** A result batch of one run, the values being the indexes. */
  batch(
    stream: number,
    start: number,
    count: number,
    more: { cursor?: number; bytes?: number; generation?: number } = {},
  ) {
    const { cursor = 1, bytes = 100, generation = 0 } = more;
    const runs: [number, number][] = [[start, count]];
    this.say(
      { kind: 'resultBatch', stream, job: 1, block: 0, runs, cursor, generation },
      columnOf(start, count),
      bytes,
    );
  }

  /** What came out of this kind since the last look at it. */
  take<Kind extends SessionEffect['kind']>(kind: Kind): Effect<Kind>[] {
    const taken = this.#effects.filter((effect): effect is Effect<Kind> => effect.kind === kind);
    this.#effects = this.#effects.filter((effect) => effect.kind !== kind);
    return taken;
  }

  sent(): unknown[] {
    return this.take('send').map(({ message }) => message);
  }

  /** What was not taken, so that a test can end with "nothing else". */
  get rest(): SessionEffect[] {
    return this.#effects;
  }

  statuses(): SessionStatus[] {
    return this.take('status').map(({ status }) => status);
  }

  /** Time passes, with a tick whenever the session asked for one. */
  pass(millis: number): void {
    const end = this.now + millis;
    for (let wake = this.session.wakeAt; wake !== undefined && wake <= end; wake = this.session.wakeAt) {
      this.now = Math.max(this.now, wake);
      this.handle({ kind: 'tick' });
    }
    this.now = end;
  }

  /** Just as long passes as it waits before it tries to connect again. */
  retry(): void {
    this.pass((this.session.wakeAt as number) - this.now);
  }

  /** The transport has connected and the server greets. */
  open(farm = 'f'): this {
    this.handle({ kind: 'connected' });
    this.say({ kind: 'clientWelcome', protocol: 1, farm });
    return this;
  }

  join(): this {
    this.handle({ kind: 'start' });
    this.open();
    this.#effects = [];
    return this;
  }

  /** The line is cut and, when the session wants to, there again. */
  reconnect(): void {
    this.handle({ kind: 'disconnected', reason: 'cut' });
    this.retry();
    this.open();
    this.#effects = this.#effects.filter(({ kind }) => kind !== 'status' && kind !== 'connect');
  }
}

export function columnOf(start: number, count: number): Uint8Array {
  const { lengths, status, bytes } = encodeColumn(Array.from({ length: count }, (_, i) => start + i));
  return packColumn(lengths, status, bytes);
}

export function progressOf(state: JobProgress['state'], more: Partial<JobProgress> = {}): JobProgress {
  const counts = { total: 1, done: 0, failed: 0, cancelled: 0, retried: 0, lost: 0, segments: 0 };
  return { state, open: false, ...counts, generation: 0, busyMicros: 0, ...more };
}
