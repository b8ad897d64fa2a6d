import type { WorkerId } from '../model/ids.ts';
import { LEASE_TIME } from '../model/limits.ts';
import { decodeWorkerMessage, type Frame } from '../protocol/frames.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { ServerToWorker } from '../protocol/worker-messages.ts';
import { CloseCode, type Connection, type Identity, type Peer, TOO_LARGE } from './peer.ts';
import type { WorkerGateway } from './worker-gateway.ts';
import type { WorkerOutbox } from './worker-outbox.ts';

type Refused = Extract<ServerToWorker, { kind: 'refused' }>;

/** One socket of a worker: who is behind it once it has said hello, and its frames in the order in which they came. */
export class WorkerConnection implements Connection {
  readonly peer: Peer;
  readonly identity: Identity;
  readonly outbox: WorkerOutbox;
  id: WorkerId | undefined;
  silence = LEASE_TIME;
  /** What is decided from now on is for this connection; what was decided before its hello is not. */
  current = false;
  readonly #gateway: WorkerGateway;
  readonly #cancelDeadline: () => void;
  /** While the blobs of one message are looked for, those that come wait. */
  #turn: Promise<void> | undefined;
  #held: Frame[] = [];
  #over = false;

  constructor(gateway: WorkerGateway, peer: Peer, identity: Identity) {
    this.#gateway = gateway;
    this.peer = peer;
    this.identity = identity;
    this.outbox = gateway.newOutbox(this);
    this.#cancelDeadline = gateway.helloDeadline(this);
  }

  get over(): boolean {
    return this.#over;
  }

  receive(frame: Frame): Promise<void> | undefined {
    if (this.#turn === undefined) this.#read(frame);
    else this.#held.push(frame);
    return this.#turn;
  }

  heard(roundTrip?: number): void {
    if (this.id !== undefined && !this.#over) this.#gateway.heard(this.id, roundTrip);
  }

  tooLarge(): void {
    this.refuse('invalid', TOO_LARGE, CloseCode.tooBig);
  }

  closed(reason: string): void {
    this.#over = true;
    this.#held = [];
    this.#cancelDeadline();
    this.#gateway.left(this, reason);
  }

  /** The last message, and the end: `detail` names what was wrong. */
  refuse(
    code: Refused['code'],
    detail: string,
    closeCode: number,
    instead: { retryAfter?: number; servers?: readonly string[] } = {},
  ): void {
    if (this.#over) return;
    if (code !== 'elsewhere') this.#gateway.onRefused(this, code, detail);
    const { servers, ...when } = instead;
    this.outbox.sendNow({
      kind: 'refused',
      code,
      detail,
      ...when,
      ...(servers !== undefined && { servers: [...servers] }),
    });
    this.peer.close(closeCode, detail);
    this.closed(detail);
  }

  /** Closed by the gateway, which does not need to hear that it left. */
  end(code: number, reason: string): void {
    this.#over = true;
    this.#held = [];
    this.#cancelDeadline();
    this.peer.close(code, reason);
  }

  #read(frame: Frame): void {
    if (this.#over) return;
    try {
      const { message, column } = decodeWorkerMessage(frame, this.identity.json === true);
      if (this.id !== undefined) {
        this.#wait(this.#gateway.take(this, this.id, message, column));
        return;
      }
      if (message.kind !== 'hello') throw new ProtocolError('invalid', 'the first message is not a hello');
      this.#cancelDeadline();
      this.#gateway.join(this, message);
    } catch (error) {
      this.#broke(error);
    }
  }

  /** A rule, by what it sent. */
  #broke(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.refuse('invalid', error.message, error.code === 'tooLarge' ? CloseCode.tooBig : CloseCode.invalid);
  }

  #wait(done: Promise<void> | undefined): void {
    if (done === undefined) return;
    // What had to wait before it was looked at may be wrong all the same.
    const looked = done.catch((error: unknown) => this.#broke(error));
    const turn: Promise<void> = looked.then(() => {
      this.#turn = undefined;
      while (this.#turn === undefined) {
        const next = this.#held.shift();
        if (next === undefined) return;
        this.#read(next);
      }
    });
    this.#turn = turn;
  }
}
