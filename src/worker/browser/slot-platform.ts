import type { BlobRef } from '../../model/envelope.ts';
import type { WorkerFailure } from '../failures.ts';
import type { TaskPlatform } from '../tasks/executor.ts';
import type { FromTask } from '../tasks/task-channel.ts';
import type { FailureWords } from '../tasks/task-failure.ts';
import type { TaskFunction } from '../tasks/task-module.ts';
import { loadTask } from '../tasks/task-module.ts';
import { sha256 } from './sha256.ts';
import { inspect } from './slot-console.ts';
import type { Blobs, FromSlot } from './slot-messages.ts';

/** What tasks need of a Web Worker: modules are texts, blobs come and go with messages. */
export class SlotPlatform implements TaskPlatform {
  /** Blobs among the inputs of chunks that are here. */
  readonly #given = new Map<string, Uint8Array>();
  /** Blobs that tasks have made, until the message that names them takes them along. */
  readonly #made = new Map<string, Uint8Array>();
  readonly #names: { address: string; sourceName: string }[] = [];
  readonly #turns = new MessageChannel();
  #next: (() => void)[] = [];

  readonly words: FailureWords = {
    inspect,
    authorsLines: (stack) => this.#authorsLines(stack),
  };

  constructor() {
    this.#turns.port1.addEventListener('message', () => this.#next.shift()?.());
    this.#turns.port1.start();
  }

  load(module: string, sourceName: string): Promise<TaskFunction | WorkerFailure> {
    const address = URL.createObjectURL(new Blob([module], { type: 'text/javascript' }));
    this.#names.push({ address, sourceName });
    return loadTask(() => import(address), sourceName, this.words);
  }

  take(blobs: Blobs | undefined): void {
    for (const [hash, bytes] of blobs ?? []) this.#given.set(hash, bytes);
  }

  /** Each task gets bytes of its own: what one writes into them, the next must not find. */
  readBlob(hash: string): Uint8Array {
    const bytes = this.#given.get(hash);
    if (bytes === undefined) throw new Error(`the blob ${hash} is not here`);
    return new Uint8Array(bytes);
  }

  storeBlob(bytes: Uint8Array): BlobRef {
    const hash = sha256(bytes);
    this.#made.set(hash, bytes);
    return { sha256: hash, size: bytes.length };
  }

  /** What the message names and tasks have made. After a chunk nothing of it is kept. */
  takeMade(message: FromSlot['message']): Map<string, Uint8Array> | undefined {
    const named = namedIn(message);
    const taken = new Map<string, Uint8Array>();
    for (const hash of named) {
      const bytes = this.#made.get(hash);
      if (bytes !== undefined) taken.set(hash, bytes);
      this.#made.delete(hash);
    }
    if (message.kind === 'done') this.#given.clear();
    return taken.size === 0 ? undefined : taken;
  }

  /** Timers of browsers wait four milliseconds; a message does not. */
  soon(run: () => void): void {
    this.#next.push(run);
    this.#turns.port2.postMessage(null);
  }

  #authorsLines(stack: string): string {
    let lines = stack.split('\n').filter((line) => !line.includes(location.href));
    for (const { address, sourceName } of this.#names) {
      lines = lines.map((line) => line.replaceAll(address, () => sourceName));
    }
    return lines.join('\n');
  }
}

function namedIn(message: FromTask | { readonly kind: 'failed' }): string[] {
  if (message.kind === 'giveBlob') return [message.blob.sha256];
  return message.kind === 'done' ? (message.blobs ?? []).map((blob) => blob.sha256) : [];
}
