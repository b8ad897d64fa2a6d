import type { BlobRef } from '../../model/envelope.ts';
import type { JobOrder, LoadedTask, SlotHost, TaskPlatform } from '../tasks/executor.ts';
import { PythonSlot } from '../tasks/python/python-slot.ts';
import type { FailureWords } from '../tasks/task-failure.ts';
import { loadTask } from '../tasks/task-module.ts';
import { loadProgram } from '../tasks/wasi/program.ts';
import { sha256 } from './sha256.ts';
import { inspect } from './slot-console.ts';
import type { Blobs, FromSlot, PyodideParts } from './slot-messages.ts';
import { openPyodide } from './slot-pyodide.ts';
import { SourceMap } from './source-map.ts';

/** What tasks need of a Web Worker: modules are texts, blobs come and go with messages. */
export class SlotPlatform implements TaskPlatform {
  /** Blobs among the inputs of chunks that are here, by chunk. */
  readonly #given = new Map<number, Blobs>();
  /** Results of the chunk that runs which are blobs, and blobs that its tasks have made: until a message takes them along. */
  readonly #results = new Map<string, Uint8Array>();
  readonly #made = new Map<string, Uint8Array>();
  readonly #modules: Loaded[] = [];
  readonly #python = new PythonSlot(() => openPyodide(this.#pyodide), this);
  #pyodide: PyodideParts | undefined;
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

  async load(order: JobOrder, bytes: Uint8Array | undefined, host: SlotHost): Promise<LoadedTask> {
    const { module, code, memory } = order;
    if (code.runner === 'python') return this.#python.load(order, bytes ?? new Uint8Array(), host);
    if (bytes !== undefined) return loadProgram(bytes, { code, ...(memory !== undefined && { memory }) });
    const { sourceName } = code;
    const address = URL.createObjectURL(new Blob([module], { type: 'text/javascript' }));
    this.#modules.push({ address, sourceName, text: module, map: undefined });
    return loadTask(() => import(address), sourceName, this.words);
  }

  /** What the first job in Python needs. */
  takePyodide(parts: PyodideParts): void {
    this.#pyodide = parts;
  }

  take(chunk: number, blobs: Blobs | undefined): void {
    if (blobs !== undefined) this.#given.set(chunk, blobs);
  }

  /** Each task gets bytes of its own: what one writes into them, the next must not find. */
  readBlob(hash: string): Uint8Array {
    for (const blobs of this.#given.values()) {
      const bytes = blobs.get(hash);
      if (bytes !== undefined) return new Uint8Array(bytes);
    }
    throw new Error(`the blob ${hash} is not here`);
  }

  storeBlob(bytes: Uint8Array): BlobRef {
    return keep(this.#results, bytes);
  }

  /** A blob that a task has made by `ctx.blob`. */
  makeBlob(bytes: Uint8Array): BlobRef {
    return keep(this.#made, bytes);
  }

  /** The blobs that a message names; nothing of them is kept. */
  takeAlong(message: FromSlot['message']): Map<string, Uint8Array> | undefined {
    if (message.kind === 'giveBlob') return takenFrom(this.#made, [message.blob]);
    if (message.kind !== 'done') return undefined;
    this.#given.delete(message.chunk);
    return takenFrom(this.#results, message.blobs ?? []);
  }

  /** Timers of browsers wait four milliseconds; a message does not. */
  soon(run: () => void): void {
    this.#next.push(run);
    this.#turns.port2.postMessage(null);
  }

  #authorsLines(stack: string): string {
    let lines = stack.split('\n').filter((line) => !line.includes(location.href));
    for (const module of this.#modules) {
      if (!stack.includes(module.address)) continue;
      module.map ??= SourceMap.of(module.text) ?? 'none';
      lines = lines.map((line) => inAuthorsWords(line, module));
    }
    return lines.join('\n');
  }
}

/** A task module as it was loaded. */
interface Loaded {
  readonly address: string;
  readonly sourceName: string;
  readonly text: string;
  /** Read when the first of its tasks has failed. */
  map: SourceMap | 'none' | undefined;
}

function inAuthorsWords(line: string, { address, sourceName, map }: Loaded): string {
  const [before = '', after] = line.split(address, 2);
  if (after === undefined) return line;
  const [, row, column, rest = ''] = /^:(\d+):(\d+)(.*)$/s.exec(after) ?? [];
  const place = typeof map === 'object' && row !== undefined ? map.placeOf(Number(row), Number(column)) : undefined;
  return place === undefined ? `${before}${sourceName}${after}` : `${before}${place}${rest}`;
}

function keep(blobs: Map<string, Uint8Array>, bytes: Uint8Array): BlobRef {
  const hash = sha256(bytes);
  blobs.set(hash, bytes);
  return { sha256: hash, size: bytes.length };
}

function takenFrom(blobs: Map<string, Uint8Array>, named: readonly BlobRef[]): Map<string, Uint8Array> | undefined {
  const taken = new Map<string, Uint8Array>();
  for (const { sha256: hash } of named) {
    const bytes = blobs.get(hash);
    if (bytes !== undefined) taken.set(hash, bytes);
  }
  for (const hash of taken.keys()) blobs.delete(hash);
  return taken.size === 0 ? undefined : taken;
}
