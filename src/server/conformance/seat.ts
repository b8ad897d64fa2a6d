import { setTimeout as sleep } from 'node:timers/promises';
import type { PackedColumn } from '../../model/envelope.ts';
import { indexesOf } from '../../model/runs.ts';
import { packColumn, readColumn } from '../../protocol/column.ts';
import { type Decoded, decodeWorkerMessage, encodeFrame, encodeJsonFrame } from '../../protocol/frames.ts';
import { itemTexts } from '../../protocol/json-frames.ts';
import { fromWireRuns, type WireRuns } from '../../protocol/shapes.ts';
import { encodeColumn } from '../../protocol/values/column.ts';
import type { ServerToWorker, WorkerMessage } from '../../protocol/worker-messages.ts';

export type Heard = Decoded<WorkerMessage>;

/** What carries the messages of one connection, a socket or polls. */
export interface Wire {
  /** They are those of the subprotocol in text. */
  readonly isText: boolean;
  /** It is made of polls (P26). */
  readonly isPolled: boolean;
  send(frame: string | Uint8Array): void;
  /** The worker has to show that it lives, and has heard what was said. */
  ping(): void;
  cut(): void;
}

/** The server's end of one connection of the worker that is examined. */
export class Seat {
  readonly heard: Heard[] = [];
  /** What it said that is no message, in one sentence. */
  garbage: string | undefined;
  isOver = false;
  readonly wire: Wire;
  #signs = 0;
  #wake: () => void = () => {};

  constructor(wire: Wire) {
    this.wire = wire;
  }

  hear(frame: Uint8Array | string): void {
    try {
      this.heard.push(decodeWorkerMessage(frame, this.wire.isText));
    } catch (error) {
      this.garbage ??= (error as Error).message;
    }
    this.#wake();
  }

  /** It has shown that it lives. */
  lives(): void {
    this.#signs += 1;
    this.#wake();
  }

  end(): void {
    this.isOver = true;
    this.#wake();
  }

  of<Kind extends WorkerMessage['kind']>(kind: Kind): (Heard & { message: Extract<WorkerMessage, { kind: Kind }> })[] {
    return this.heard.filter(({ message }) => message.kind === kind) as ReturnType<typeof this.of<Kind>>;
  }

  /** With the values that go with it. A field that no version knows goes along: it has to be ignored. */
  say(message: ServerToWorker, values?: readonly unknown[]): void {
    const strange = { ...message, fromALaterVersion: { anything: true } } as unknown as ServerToWorker;
    const column = values === undefined ? undefined : columnOf(values);
    if (this.wire.isText) {
      const items = column === undefined ? undefined : itemTexts(readColumn(column)).map((text) => text ?? 'null');
      this.wire.send(encodeJsonFrame(strange, items));
    } else this.wire.send(encodeFrame(strange, column));
  }

  /** Resolves when it has read all that was said so far, or says that it is alive; false: it did not, in time. */
  async settled(millis: number): Promise<boolean> {
    const [signs, beats] = [this.#signs, this.of('beat').length];
    this.wire.ping();
    return this.until(() => this.#signs > signs || this.of('beat').length > beats, millis);
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
    this.wire.cut();
  }
}

/** Runs that are not sorted, or overlap, say nothing (P6). */
export function indexesIn(wire: WireRuns): number[] {
  return [...indexesOf(fromWireRuns(wire) ?? [])];
}

function columnOf(values: readonly unknown[]): PackedColumn {
  const { lengths, status, bytes } = encodeColumn(values);
  return packColumn(lengths, status, bytes);
}
