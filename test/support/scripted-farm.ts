import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { Farm } from '../../src/client/farm.ts';
import type { BlobExchange, Surroundings } from '../../src/client/surroundings.ts';
import type { Transport } from '../../src/client/transport.ts';
import { Wire } from '../../src/client/wire.ts';
import type { BlobRef } from '../../src/model/envelope.ts';

/** Blobs that are there at once. */
class MemoryBlobs implements BlobExchange {
  readonly #bytes = new Map<string, Uint8Array>();

  refer(bytes: Uint8Array): BlobRef {
    return { sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length };
  }

  async put({ sha256 }: BlobRef, bytes: Uint8Array): Promise<void> {
    await turn();
    this.#bytes.set(sha256, bytes.slice());
  }

  async get({ sha256 }: BlobRef): Promise<Uint8Array> {
    const bytes = this.#bytes.get(sha256);
    if (bytes === undefined) throw new Error(`no blob ${sha256}`);
    return bytes;
  }

  close(): void {}
}

/** A platform whose time passes when the test says so. */
export class ScriptedSurroundings implements Surroundings {
  readonly servers = ['http://scripted/'];
  readonly transport: Transport;
  readonly blobs = new MemoryBlobs();
  readonly #chance: () => number;
  readonly #alarms = new Set<{ at: number; run: () => void }>();
  #now = 0;
  #keys = 0;

  constructor(transport: Transport, chance: () => number = () => 0.5) {
    this.transport = transport;
    this.#chance = chance;
  }

  async code(task: unknown): Promise<{ code: string; sourceName: string }> {
    return { code: String(task), sourceName: 'scripted' };
  }

  hash(text: string): { sha256: string; size: number } {
    const { sha256, size } = this.blobs.refer(new TextEncoder().encode(text));
    return { sha256, size };
  }

  now(): number {
    return this.#now;
  }

  chance(): number {
    return this.#chance();
  }

  defer(run: () => void): void {
    queueMicrotask(run);
  }

  pause(): Promise<void> {
    return turn();
  }

  alarm(delay: number, run: () => void): () => void {
    const alarm = { at: this.#now + delay, run };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  randomKey(): string {
    this.#keys += 1;
    return `key ${this.#keys}`;
  }

  /** Time passes, alarms ring in their order. */
  pass(millis: number): void {
    const end = this.#now + millis;
    for (;;) {
      const due = [...this.#alarms].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#alarms.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.run();
    }
    this.#now = end;
  }
}

/** A farm whose server, line and time are in the hand of the test. */
export function scriptedFarm(
  transport: Transport,
  chance?: () => number,
): { farm: Farm; wire: Wire; time: ScriptedSurroundings } {
  const time = new ScriptedSurroundings(transport, chance);
  const wire = new Wire(time);
  return { farm: new Farm(wire, time), wire, time };
}
