import { WebSocket } from 'ws';
import { FIRST_PING, LATE_TICK, LEASE_TIME, OUTGOING_BYTES, OUTGOING_BYTES_MOST, STOP_TIME } from '../model/limits.ts';
import type { Frame } from '../protocol/frames.ts';
import type { Clock } from './clock.ts';
import type { Loop } from './loop.ts';
import { CloseCode, type Connection, type Gateway, type Identity, type Peer, TOO_LARGE } from './peer.ts';

/**
 * The library closes by itself, with a code alone, on a frame that is too large: here somebody may say why first, while
 * something can still be said.
 */
export class FarmSocket extends WebSocket {
  onTooLarge: () => void = () => {};

  override close(code?: number, reason?: string | Buffer): void {
    if (code === CloseCode.tooBig && reason === undefined && this.readyState === WebSocket.OPEN) this.onTooLarge();
    super.close(code, reason ?? (code === CloseCode.tooBig ? shortened(TOO_LARGE) : undefined));
  }
}

/** Binds an authorised WebSocket to a gateway. */
export function attachSocket(
  socket: WebSocket,
  gateway: Gateway,
  identity: Identity,
  around: { loop: Loop; clock: Clock },
): void {
  new SocketPeer(socket, gateway, identity, around);
}

/**
 * One socket: its frames, its pings, and backpressure both ways. It is not read while too much waits for the disk, while
 * too much of what it sent is being dealt with, or while it does not take what it asked for.
 */
class SocketPeer implements Peer {
  readonly #socket: WebSocket;
  readonly #loop: Loop;
  readonly #clock: Clock;
  readonly #connection: Connection;
  full = false;
  /** Promises of the gateway that have not settled. */
  #turns = 0;
  #awaitsCalm = false;
  #heardAt: number;
  #beatDue = 0;
  /** When the ping was sent that has no pong yet. */
  #pingedAt: number | undefined;
  #cancelBeat: () => void = () => {};
  readonly #cancelFirstPing: () => void;
  #cancelEnd: (() => void) | undefined;

  constructor(socket: WebSocket, gateway: Gateway, identity: Identity, around: { loop: Loop; clock: Clock }) {
    this.#socket = socket;
    this.#loop = around.loop;
    this.#clock = around.clock;
    this.#heardAt = this.#clock.now();
    this.#connection = gateway.accept(this, identity);
    this.#planBeat();
    this.#cancelFirstPing = this.#clock.alarm(FIRST_PING, () => this.#ping());
    if (socket instanceof FarmSocket) socket.onTooLarge = () => this.#connection.tooLarge();
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#received(isBinary ? data : data.toString('utf8')));
    socket.on('ping', () => this.#heard());
    socket.on('pong', () => this.#ponged());
    // The library has sent its close frame, or there is nobody to send it to; who does not answer it is cut.
    socket.on('error', () => this.#endSoon());
    socket.on('close', (code: number, reason: Buffer) =>
      this.#closed(reason.toString('utf8') || `closed with ${code}`),
    );
  }

  send(frame: Frame): void {
    const socket = this.#socket;
    if (socket.readyState !== WebSocket.OPEN) return;
    const waits = socket.bufferedAmount + frame.length;
    if (waits <= OUTGOING_BYTES && !this.full) {
      socket.send(frame);
      return;
    }
    // It is read on by who asks for nothing, such as a worker; for him, too, there is an end. (F-11)
    if (waits > OUTGOING_BYTES_MOST) return socket.terminate();
    this.full = true;
    socket.send(frame, () => this.#sent());
    this.#regulate();
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, shortened(reason));
    this.#endSoon();
    this.#regulate();
  }

  #sent(): void {
    if (!this.full || this.#socket.bufferedAmount > OUTGOING_BYTES / 2) return;
    this.full = false;
    this.#connection.drained?.();
    this.#regulate();
  }

  #received(frame: Frame): void {
    this.#heardAt = this.#clock.now();
    const turn = this.#connection.receive(frame);
    if (turn !== undefined) {
      this.#turns++;
      void turn.finally(() => {
        this.#turns--;
        this.#regulate();
      });
    }
    this.#regulate();
  }

  #heard(roundTrip?: number): void {
    this.#heardAt = this.#clock.now();
    this.#connection.heard(roundTrip);
  }

  /** While the socket is not read its pongs wait with the rest, and tell nothing of the network. */
  #ponged(): void {
    const pingedAt = this.#pingedAt;
    this.#pingedAt = undefined;
    this.#heard(pingedAt === undefined ? undefined : this.#clock.now() - pingedAt);
  }

  /** Reads on, or stops reading. A socket that is closing is read on, so that its peer's goodbye is seen. */
  #regulate(): void {
    const socket = this.#socket;
    const stop = this.#turns > 0 || this.#loop.pressed || (this.full && this.#connection.drained !== undefined);
    if (!stop || socket.readyState !== WebSocket.OPEN) {
      if (socket.isPaused) socket.resume();
      return;
    }
    socket.pause();
    this.#pingedAt = undefined;
    if (!this.#loop.pressed || this.#awaitsCalm) return;
    this.#awaitsCalm = true;
    this.#loop.calm(() => {
      this.#awaitsCalm = false;
      this.#regulate();
    });
  }

  #planBeat(): void {
    this.#beatDue = this.#clock.now() + this.#loop.pingEvery;
    this.#cancelBeat = this.#clock.alarm(this.#loop.pingEvery, () => this.#beat());
  }

  #ping(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#pingedAt = this.#clock.now();
    this.#socket.ping();
  }

  /** A peer that is silent for too long is gone, whatever TCP thinks, and its descriptor is free (P13, F-9). */
  #beat(): void {
    const now = this.#clock.now();
    // Who is not read cannot be heard; and when this machine slept, silence proves nothing.
    const deaf = this.#socket.isPaused || now > this.#beatDue + LATE_TICK;
    if (deaf) this.#heard();
    else if (now - this.#heardAt >= (this.#connection.silence ?? LEASE_TIME)) return this.#socket.terminate();
    this.#ping();
    this.#planBeat();
  }

  #endSoon(): void {
    this.#cancelEnd ??= this.#clock.alarm(STOP_TIME, () => this.#socket.terminate());
  }

  #closed(reason: string): void {
    this.#cancelFirstPing();
    this.#cancelBeat();
    this.#cancelEnd?.();
    this.#connection.closed(reason);
  }
}

/** A close frame holds at most 123 bytes of reason; the library throws at more. */
function shortened(reason: string): string {
  const bytes = Buffer.from(reason);
  return bytes.length <= 123
    ? reason
    : bytes
        .subarray(0, 120)
        .toString('utf8')
        .replace(/\uFFFD+$/u, '');
}
