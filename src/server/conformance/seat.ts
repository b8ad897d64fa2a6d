import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { PackedColumn } from '../../model/envelope.ts';
import { packColumn, readColumn } from '../../protocol/column.ts';
import { type Decoded, decodeWorkerMessage, encodeFrame, encodeJsonFrame } from '../../protocol/frames.ts';
import { itemTexts } from '../../protocol/json-frames.ts';
import { encodeColumn } from '../../protocol/values/column.ts';
import type { ServerToWorker, WorkerMessage } from '../../protocol/worker-messages.ts';

export type Heard = Decoded<WorkerMessage>;

/** The server's end of one connection of the worker that is examined. */
export class Seat {
  /** Its subprotocol is the one in text. */
  readonly isText: boolean;
  readonly heard: Heard[] = [];
  /** What it said that is no message, in one sentence. */
  garbage: string | undefined;
  isOver = false;
  readonly #socket: WebSocket;
  #pongs = 0;
  #wake: () => void = () => {};

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.isText = socket.protocol.endsWith('.json');
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#hear(isBinary ? data : data.toString()));
    socket.on('pong', () => {
      this.#pongs += 1;
      this.#wake();
    });
    socket.on('close', () => {
      this.isOver = true;
      this.#wake();
    });
    socket.on('error', () => {});
  }

  #hear(frame: Buffer | string): void {
    try {
      this.heard.push(decodeWorkerMessage(frame, this.isText));
    } catch (error) {
      this.garbage ??= (error as Error).message;
    }
    this.#wake();
  }

  of<Kind extends WorkerMessage['kind']>(kind: Kind): (Heard & { message: Extract<WorkerMessage, { kind: Kind }> })[] {
    return this.heard.filter(({ message }) => message.kind === kind) as ReturnType<typeof this.of<Kind>>;
  }

  /** With the values that go with it. A field that no version knows goes along: it has to be ignored. */
  say(message: ServerToWorker, values?: readonly unknown[]): void {
    const strange = { ...message, fromALaterVersion: { anything: true } } as unknown as ServerToWorker;
    const column = values === undefined ? undefined : columnOf(values);
    if (this.isText) {
      const items = column === undefined ? undefined : itemTexts(readColumn(column)).map((text) => text ?? 'null');
      this.#socket.send(encodeJsonFrame(strange, items));
    } else this.#socket.send(encodeFrame(strange, column));
  }

  /** Resolves when it has read all that was said so far, or says that it is alive; false: it did not, in time. */
  async settled(millis: number): Promise<boolean> {
    const [pongs, beats] = [this.#pongs, this.of('beat').length];
    this.#socket.ping();
    return this.until(() => this.#pongs > pongs || this.of('beat').length > beats, millis);
  }

  /** False: it was not so in time, or the connection ended before. */
  async until(isSo: () => boolean, millis: number): Promise<boolean> {
    const end = performance.now() + millis;
    while (!isSo()) {
      const left = end - performance.now();
      if (left <= 0 || this.isOver) return isSo();
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([woken, sleep(Math.min(left, 1_000), undefined, { ref: false })]);
    }
    return true;
  }

  /** As a cable that is pulled: nothing is said. */
  cut(): void {
    this.#socket.terminate();
  }
}

function columnOf(values: readonly unknown[]): PackedColumn {
  const { lengths, status, bytes } = encodeColumn(values);
  return packColumn(lengths, status, bytes);
}
