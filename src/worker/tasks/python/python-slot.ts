import type { Spawned } from '../../../model/spawned.ts';
import type { ChunkRunner, JobOrder, SlotHost, TaskPlatform } from '../executor.ts';
import { isFull } from '../executor.ts';
import type { FromTask, StoredBlob } from '../task-channel.ts';
import type { Callable, Pyodide } from './pyodide.ts';

/** What is written in Python, in `entry/`, by the names under which it imports each other. */
export const SOURCES = ['values', 'task', 'output', 'chunk', 'slot'] as const;

export type Sources = Readonly<Record<(typeof SOURCES)[number], string>>;

/** The class `Slot` of `slot.py`. */
interface Slot {
  readonly load: Callable<[order: string, code: Uint8Array, chunk: number], void>;
  readonly run: Callable<[order: string, data: Uint8Array], [told: string, column: Uint8Array]>;
  forget(job: number): void;
}

/** Beside the bytes of outcomes. */
interface Told {
  readonly done: number;
  readonly blobs?: StoredBlob[];
  readonly spawned?: Spawned;
}

type Blobs = Pick<TaskPlatform, 'readBlob' | 'storeBlob'>;

const FOLDER = '/lib/manyhands';

/** Python in a slot: an interpreter that is started when its first job comes, and has the slot's jobs one after the other. */
export class PythonSlot {
  readonly #open: () => Promise<{ pyodide: Pyodide; sources: Sources }>;
  readonly #blobs: Blobs;
  #slot: Promise<Slot> | undefined;
  /** Why a result found no room: the chunk goes elsewhere, whatever Python makes of it. */
  #full: unknown;

  constructor(open: () => Promise<{ pyodide: Pyodide; sources: Sources }>, blobs: Blobs) {
    this.#open = open;
    this.#blobs = blobs;
  }

  /** `code`: the bytes of the job's file. What is wrong with it is told of each of its tasks. */
  async load(order: JobOrder, code: Uint8Array, host: SlotHost): Promise<ChunkRunner> {
    this.#slot ??= this.#load(host).catch((error: Error) => {
      // The engine would tell of it by a line of Pyodide's, which is as long as a book.
      throw new Error(`Pyodide, which runs Python here, could not be started: ${error.stack}`);
    });
    const slot = await this.#slot;
    await call(slot.load, JSON.stringify(order), plain(code), host.place.chunk);
    return {
      runChunk: async (chunk, bytes) => {
        this.#full = undefined;
        const [told, column] = await call(slot.run, JSON.stringify(chunk), plain(bytes));
        if (this.#full !== undefined) throw this.#full;
        const { done, blobs = [], spawned } = JSON.parse(told) as Told;
        return { done, blobs, column, ...(spawned && { spawned }) };
      },
      forget: () => slot.forget(order.job),
    };
  }

  /** Not a part of what the job's tasks take, nor lost if nobody wants these any more. */
  async #load(host: SlotHost): Promise<Slot> {
    const { chunk } = host.place;
    host.send({ kind: 'loading', chunk });
    const slot = await this.#start(host);
    host.send({ kind: 'started', chunk });
    return slot;
  }

  async #start(host: SlotHost): Promise<Slot> {
    const { pyodide, sources } = await this.#open();
    pyodide.FS.mkdirTree(FOLDER);
    for (const name of SOURCES) pyodide.FS.writeFile(`${FOLDER}/${name}.py`, sources[name]);
    const make = pyodide.runPython(
      `import sys; sys.path.insert(0, ${JSON.stringify(FOLDER)}); import slot; del sys.path[0], sys.modules["slot"]; slot.Slot`,
    ) as (platform: object) => Slot;
    return make({
      send: (message: string) => host.send(JSON.parse(message) as FromTask),
      getBlob: host.getBlob,
      putBlob: async (bytes: Uint8Array) => JSON.stringify(await host.putBlob(bytes)),
      readBlob: (sha256: string) => this.#blobs.readBlob(sha256),
      storeBlob: (bytes: Uint8Array) => JSON.stringify(this.#store(bytes)),
    });
  }

  #store(bytes: Uint8Array): StoredBlob {
    try {
      return this.#blobs.storeBlob(bytes);
    } catch (error) {
      if (isFull(error)) this.#full = error;
      throw error;
    }
  }
}

/** Pyodide knows no subclasses, such as Node's. */
function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

/** Python may wait for promises only where the engine can put its stack aside. */
async function call<Args extends unknown[], Result>(method: Callable<Args, Result>, ...args: Args): Promise<Result> {
  try {
    return 'Suspending' in WebAssembly ? await method.callPromising(...args) : method(...args);
  } catch (error) {
    // It is over with the interpreter: by os._exit, or by a fault in it. The line of Pyodide's that threw is a book.
    throw new Error(`Python came to its end: ${(error as Error).message}`);
  }
}
