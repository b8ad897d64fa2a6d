import type { PackedColumn } from '../model/envelope.ts';
import type { Millis } from '../model/ids.ts';
import type { CodeRef } from '../model/job.ts';
import type { ServerToWorker, WorkerMessage } from '../protocol/worker-messages.ts';
import type { Runner } from './runner.ts';
import { Session } from './session.ts';
import type { SessionEffect, SessionInput, SessionOptions, WorkerStatus } from './session-io.ts';

/** What a connection tells. */
export interface ConnectionEvents {
  /** `others`: its name stands for further servers. */
  connected(others?: boolean): void;
  /** Something came that is no message. */
  heard(): void;
  message(message: ServerToWorker, column?: PackedColumn): void;
  garbage(detail: string): void;
  /** `another`: the name of this server has another address, which was not tried yet. */
  disconnected(reason: string, more: { readonly retryAfter?: Millis; readonly another?: boolean }): void;
}

/** One connection to the server's `/v1/worker`, for as long as the session believes in it. What comes after `close` is not told. */
export interface WorkerSocket {
  send(message: WorkerMessage, column?: PackedColumn): void;
  close(code: number, reason: string): void;
  /** Only where the answer of the server is told as `heard`. */
  ping?(): void;
}

/** How a worker came to its end. `failed`: it could never join, or was refused. */
export interface WorkerEnd {
  readonly reason: string;
  readonly failed: boolean;
}

/** What a session needs of the platform around it. */
export interface Device {
  readonly runner: Runner;
  connect(server: string, events: ConnectionEvents): WorkerSocket;
  /** Rejects with one sentence if the code can't be had. */
  provideCode(code: CodeRef, inline: string | undefined): Promise<void>;
  status(status: WorkerStatus): void;
}

/** Does what a session says, and tells it what happens: its clock, its one timer, its connection. */
export class Driver {
  readonly #session: Session;
  readonly #device: Device;
  #socket: WorkerSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #busyAt = performance.now();

  constructor(options: SessionOptions, device: Device) {
    this.#session = new Session(options);
    this.#device = device;
  }

  /** Milliseconds without a task, as far as anybody has looked. */
  get idleFor(): Millis {
    if (!this.#session.idle) this.#busyAt = performance.now();
    return performance.now() - this.#busyAt;
  }

  handle(input: SessionInput): void {
    const effects = this.#session.handle(input, performance.now(), Math.random());
    // A slot that waits for its next task costs more than a message that leaves a moment later.
    for (const effect of effects) if (effect.kind === 'runChunk') this.#do(effect);
    for (const effect of effects) if (effect.kind !== 'runChunk') this.#do(effect);
    this.#schedule();
  }

  /** No tick comes any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #do(effect: SessionEffect): void {
    const { runner } = this.#device;
    switch (effect.kind) {
      case 'send':
        return this.#socket?.send(effect.message, effect.column);
      case 'connect':
        return this.#connect(effect.server);
      case 'ping':
        return this.#socket?.ping?.();
      case 'disconnect':
        return this.#socket?.close(effect.code, effect.reason);
      case 'fetchCode':
        return void this.#device.provideCode(effect.code, effect.inline).then(
          () => this.handle({ kind: 'codeReady', sha256: effect.code.sha256 }),
          (error: Error) => this.handle({ kind: 'codeFailed', sha256: effect.code.sha256, reason: error.message }),
        );
      case 'startSlot':
        return runner.startSlot(effect.slot);
      case 'runChunk':
        this.#busyAt = performance.now();
        return runner.runChunk(effect.slot, effect.chunk, effect.job);
      case 'abortChunk':
        return runner.abortChunk(effect.slot, effect.chunk);
      case 'killSlot':
        return runner.killSlot(effect.slot);
      case 'forgetJob':
        return runner.forgetJob(effect.job);
      case 'status':
        return this.#device.status(effect.status);
    }
  }

  #connect(server: string): void {
    this.#socket = this.#device.connect(server, {
      connected: (others = false) => this.handle({ kind: 'connected', others }),
      heard: () => this.handle({ kind: 'heard' }),
      message: (message, column) => this.handle({ kind: 'message', message, ...(column && { column }) }),
      garbage: (detail) => this.handle({ kind: 'garbage', detail }),
      disconnected: (reason, more) => this.handle({ kind: 'disconnected', reason, ...more }),
    });
  }

  /** One timer, moved only when it would be too late: it may wake too early, which costs one look. */
  #schedule(): void {
    const { wakeAt } = this.#session;
    if (wakeAt === undefined || wakeAt >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = wakeAt;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Infinity;
        this.handle({ kind: 'tick' });
      },
      Math.max(0, Math.ceil(wakeAt - performance.now())),
    );
  }
}
