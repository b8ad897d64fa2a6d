import type { BlobRef, PackedColumn } from '../../model/envelope.ts';
import { PROCESS_MODULES } from '../../model/limits.ts';
import type { Spawned } from '../../model/spawned.ts';
import type { Chunk, JobFacts, Runner, SlotEvent } from '../runner.ts';
import { blobsIn, notStored } from '../tasks/blobs.ts';
import type { FromTask, ToTask } from '../tasks/task-channel.ts';
import { checkedMessage } from '../tasks/task-messages.ts';
import type { Codes } from './codes.ts';
import type { FarmHttp } from './farm-http.ts';
import type { PyodideStore } from './pyodide-store.ts';
import { SlotFrame } from './slot-frame.ts';
import type { FromSlot, PyodideParts } from './slot-messages.ts';
import { packetOf } from './slot-messages.ts';

/** A slot's Web Worker, from its start to its end. */
interface Life {
  readonly number: number;
  readonly port: MessagePort;
  /** Jobs that it was told of, and the code of each that it was told last. */
  readonly jobs: Map<number, string>;
  readonly modules: Set<string>;
  /** It has been given Pyodide. */
  hasPyodide: boolean;
}

interface Place {
  readonly slot: number;
  life: Life | undefined;
  /** Chunks handed over and not reported yet, the running one first. */
  chunks: { readonly chunk: Chunk }[];
  /** What must be over before anything more is done for this slot: transfers of blobs, in their order. */
  toSlot: Promise<void> | undefined;
  fromSlot: Promise<void> | undefined;
}

/** Runs task modules in Web Workers, one for each slot, all in one frame that reaches nothing. */
export class WebRunner implements Runner {
  readonly #frame: SlotFrame;
  readonly #http: FarmHttp;
  readonly #codes: Codes;
  readonly #pyodide: PyodideStore;
  readonly #report: (event: SlotEvent) => void;
  readonly #places = new Map<number, Place>();
  #lives = 0;
  #closed = false;

  constructor(
    base: URL,
    http: FarmHttp,
    { codes, pyodide }: { codes: Codes; pyodide: PyodideStore },
    report: (event: SlotEvent) => void,
  ) {
    this.#frame = new SlotFrame(base, (life, reason) => this.#dead(life, reason));
    this.#http = http;
    this.#codes = codes;
    this.#pyodide = pyodide;
    this.#report = report;
  }

  startSlot(slot: number): void {
    if (this.#closed) return;
    const place: Place = this.#places.get(slot) ?? {
      slot,
      life: undefined,
      chunks: [],
      toSlot: undefined,
      fromSlot: undefined,
    };
    this.#places.set(slot, place);
    this.#begin(place);
  }

  runChunk(slot: number, chunk: Chunk, job: JobFacts): void {
    const place = this.#places.get(slot);
    if (place?.life === undefined) return;
    place.chunks.push({ chunk });
    const life = this.#lifeFor(place, job);
    const wanted = blobsIn(chunk.column);
    if (wanted.length === 0 && place.toSlot === undefined) return this.#hand(life, chunk, job);
    if (wanted.length > 0) this.#report({ kind: 'chunkWaiting', slot, chunk: chunk.id });
    const fetching = this.#fetch(wanted);
    const turn = (place.toSlot ?? Promise.resolve()).then(async () => {
      const { blobs, missing } = await fetching;
      if (place.toSlot === turn) place.toSlot = undefined;
      if (place.life !== life) return;
      this.#hand(life, chunk, job, blobs, missing);
      if (wanted.length > 0) this.#report({ kind: 'chunkStarted', slot, chunk: chunk.id });
    });
    place.toSlot = turn;
  }

  abortChunk(slot: number, chunk: number): void {
    const life = this.#places.get(slot)?.life;
    if (life !== undefined) say(life, { kind: 'abort', chunk });
  }

  killSlot(slot: number): void {
    const place = this.#places.get(slot);
    if (place?.life === undefined) return;
    this.#end(place.life);
    this.#died(place, place.life, 'it was ended');
  }

  forgetJob(job: number): void {
    for (const { life } of this.#places.values()) if (life?.jobs.delete(job)) say(life, { kind: 'forget', job });
  }

  /** Ends all slots; nothing is reported any more. */
  close(): void {
    this.#closed = true;
    for (const place of this.#places.values()) {
      place.life?.port.close();
      place.life = undefined;
      place.chunks = [];
    }
    this.#frame.close();
  }

  #begin(place: Place): Life {
    this.#lives += 1;
    const number = this.#lives;
    const port = this.#frame.start(number);
    const life: Life = { number, port, jobs: new Map(), modules: new Set(), hasPyodide: false };
    port.addEventListener('message', ({ data }: MessageEvent<FromSlot>) => this.#heard(place, life, data));
    // The frame is gone, and all slots with it: the browser may have run out of memory. Not every browser tells.
    port.addEventListener('close', () => {
      if (this.#closed || place.life !== life) return;
      this.#frame.lost(number);
      this.#died(place, life, 'the browser ended it');
    });
    port.start();
    place.life = life;
    return life;
  }

  #end({ number, port }: Life): void {
    this.#frame.end(number);
    port.close();
  }

  /** Modules are never unloaded: a slot that is full of them is replaced when it has nothing to do. */
  #lifeFor(place: Place, { code }: JobFacts): Life {
    const old = place.life as Life;
    const isFull = old.modules.size >= PROCESS_MODULES && !old.modules.has(code.sha256);
    if (!isFull || place.chunks.length > 1) return old;
    this.#end(old);
    return this.#begin(place);
  }

  #hand(
    life: Life,
    chunk: Chunk,
    job: JobFacts,
    blobs?: ReadonlyMap<string, Uint8Array>,
    missing?: Readonly<Record<string, string>>,
  ): void {
    const { id, lease, runs, farm, column } = chunk;
    if (life.jobs.get(job.job) !== job.code.sha256) {
      life.jobs.set(job.job, job.code.sha256);
      life.modules.add(job.code.sha256);
      const { code, memory, range, spawns } = job;
      const isText = code.runner !== 'wasi' && code.runner !== 'python';
      const order = {
        ...({ kind: 'job', job: job.job, code, module: isText ? this.#codes.text(code.sha256) : '' } as const),
        ...(memory !== undefined && { memory }),
        ...(range && { range }),
        ...(spawns && { spawns }),
      };
      const isFirst = code.runner === 'python' && !life.hasPyodide;
      life.hasPyodide ||= isFirst;
      const bytes = isText ? undefined : this.#codes.bytes(code.sha256);
      say(life, order, bytes, undefined, isFirst ? this.#pyodide.parts : undefined);
    }
    const order = { kind: 'chunk', id, job: job.job, lease, runs, farm, ...(missing && { missing }) } as const;
    say(life, order, column, blobs);
  }

  async #fetch(
    wanted: readonly BlobRef[],
  ): Promise<{ blobs: Map<string, Uint8Array>; missing: Record<string, string> }> {
    const blobs = new Map<string, Uint8Array>();
    const missing: Record<string, string> = {};
    const fetchOne = async ({ sha256 }: BlobRef): Promise<void> => {
      try {
        blobs.set(sha256, await this.#http.getBlob(sha256));
      } catch (error) {
        missing[sha256] = (error as Error).message;
      }
    };
    await Promise.all([...new Map(wanted.map((blob) => [blob.sha256, blob])).values()].map(fetchOne));
    return { blobs, missing };
  }

  #heard(place: Place, life: Life, { message, bytes, blobs }: FromSlot): void {
    if (place.life !== life) return;
    if (message?.kind === 'failed') return this.#gone(place, life, String(message.reason));
    let checked: FromTask;
    try {
      checked = checkedMessage(message, bytes ?? new Uint8Array(), place.chunks);
    } catch (error) {
      return this.#gone(place, life, `it said what no slot says (${(error as Error).message})`);
    }
    this.#obey(place, life, checked, bytes ?? new Uint8Array(), blobs ?? new Map());
  }

  #obey(
    place: Place,
    life: Life,
    message: FromTask,
    bytes: Uint8Array,
    blobs: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
  ): void {
    const { slot } = place;
    switch (message.kind) {
      case 'ready':
        // A slot that replaced another one is not news.
        if (place.chunks.length === 0) this.#report({ kind: 'slotReady', slot });
        return;
      case 'loading':
        return this.#report({ kind: 'slotLoading', slot, chunk: message.chunk });
      case 'started':
        return this.#report({ kind: 'chunkStarted', slot, chunk: message.chunk });
      case 'done':
        return this.#done(place, message, bytes, blobs);
      case 'log':
        return this.#report({ ...message, kind: 'taskLog', slot });
      case 'progress':
        return this.#report({ ...message, kind: 'taskProgress', slot });
      case 'wantBlob':
        return void this.#http.getBlob(message.sha256).then(
          (blob) => say(life, { kind: 'blob', request: message.request }, blob),
          (error: Error) => say(life, { kind: 'blob', request: message.request, error: error.message }),
        );
      case 'readBlob':
      case 'full':
        // Of those who have a disk.
        return;
      case 'giveBlob':
        return void this.#upload(message.blob, blobs).then((problem) =>
          say(life, { kind: 'blob', request: message.request, ...(problem !== undefined && { error: problem }) }),
        );
    }
  }

  #done(
    place: Place,
    { chunk, done, micros, blobs: named, spawned }: FromTask & { kind: 'done' },
    bytes: PackedColumn,
    blobs: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
  ): void {
    const { slot } = place;
    place.chunks.shift();
    const tell = (column: PackedColumn, more?: Spawned): void => {
      if (this.#closed) return;
      this.#report({ kind: 'chunkDone', slot, chunk, done, micros, column, ...(more && { spawned: more }) });
    };
    if (named === undefined && place.fromSlot === undefined) return tell(bytes, spawned);
    this.#report({ kind: 'chunkWaiting', slot, chunk });
    // The message that names a blob leaves after the blob is stored (P15).
    const turn = (place.fromSlot ?? Promise.resolve()).then(async () => {
      const problems = await Promise.all((named ?? []).map((blob) => this.#upload(blob, blobs)));
      const problem = problems.find((each) => each !== undefined);
      if (problem === undefined) tell(bytes, spawned);
      else tell(notStored(done, problem));
      if (place.fromSlot === turn) place.fromSlot = undefined;
    });
    place.fromSlot = turn;
  }

  /** Why it could not be uploaded; undefined: it was. */
  async #upload({ sha256 }: BlobRef, blobs: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): Promise<string | undefined> {
    const bytes = blobs.get(sha256);
    if (bytes === undefined) return 'its slot did not hand it over';
    try {
      await this.#http.putBlob(sha256, bytes);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  #dead(number: number, reason: string): void {
    for (const place of this.#places.values()) {
      if (place.life?.number === number) this.#gone(place, place.life, reason);
    }
  }

  #gone(place: Place, life: Life, reason: string): void {
    this.#end(life);
    this.#died(place, life, reason);
  }

  /** Told after what the slot had finished: its death is no reason to lose that. */
  #died(place: Place, life: Life, lastWords: string): void {
    const tell = (): void => {
      if (this.#closed || place.life !== life) return;
      place.life = undefined;
      place.chunks = [];
      this.#report({ kind: 'slotDied', slot: place.slot, cause: 'exit', lastWords });
    };
    place.fromSlot = (place.fromSlot ?? Promise.resolve()).then(tell);
  }
}

function say(
  life: Life,
  message: ToTask,
  bytes?: Uint8Array,
  blobs?: ReadonlyMap<string, Uint8Array>,
  pyodide?: PyodideParts,
): void {
  const { packet, transfer } = packetOf(message, bytes, blobs);
  life.port.postMessage({ ...packet, ...(pyodide && { pyodide }) }, transfer);
}
