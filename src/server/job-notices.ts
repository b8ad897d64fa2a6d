import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, TaskIndex } from '../model/ids.ts';
import { codesOf, hasEnded, type JobSpec, travelsInline } from '../model/job.ts';
import { INLINE_CODE_BYTES } from '../model/limits.ts';
import type { Column } from '../protocol/column.ts';
import type { JobNotice } from '../protocol/worker-messages.ts';
import { BlobError, type BlobStore } from '../store/blobs.ts';
import { type Store, StoreError } from '../store/store.ts';
import type { InputCache } from './input-cache.ts';

/** Why tasks cannot be told to a worker. `lasting`: nor to any other, nor later. */
export interface Missing {
  readonly lasting: boolean;
  readonly reason: string;
}

/** What is to be read for a grant. */
interface Wanted {
  readonly job: JobId;
  readonly block: TaskIndex;
  /** The place of the code among those of the job. */
  readonly code: number;
}

/** What a worker must be told before and with tasks: the job, its code, the inputs of a block. */
export class JobNotices {
  readonly #store: Store;
  readonly #blobs: BlobStore;
  readonly #inputs: InputCache;
  readonly #specs = new Map<JobId, JobSpec>();
  /** Code by hash, for the jobs at hand. */
  readonly #code = new Map<string, string>();
  readonly #loading = new Map<string, Promise<'ready' | 'over' | Missing>>();

  constructor(store: Store, blobs: BlobStore, inputs: InputCache) {
    this.#store = store;
    this.#blobs = blobs;
    this.#inputs = inputs;
  }

  know(job: JobId, spec: JobSpec): void {
    this.#specs.set(job, spec);
  }

  /** Small code that has just come in need not be read back. */
  knowCode(sha256: string, code: string): void {
    if (code.length <= INLINE_CODE_BYTES) this.#code.set(sha256, code);
  }

  forget(job: JobId): void {
    const spec = this.#specs.get(job);
    this.#specs.delete(job);
    this.#inputs.dropJob(job);
    if (spec === undefined) return;
    for (const { sha256 } of codesOf(spec)) if (!this.#isNeeded(sha256)) this.#code.delete(sha256);
  }

  #isNeeded(sha256: string): boolean {
    for (const spec of this.#specs.values()) if (codesOf(spec).some((code) => code.sha256 === sha256)) return true;
    return false;
  }

  /** `place`: that of the code among those of the job. */
  ready(job: JobId, place = 0): JobNotice | 'absent' {
    const spec = this.#specs.get(job);
    const code = spec && codesOf(spec)[place];
    if (spec === undefined || code === undefined) return 'absent';
    const inline = this.#code.get(code.sha256);
    if (inline === undefined && travelsInline(code)) return 'absent';
    return {
      kind: 'job',
      job,
      name: spec.name,
      code: { ...code },
      ...(inline === undefined ? {} : { inline }),
      ...(spec.range === undefined ? {} : { range: { ...spec.range } }),
      ...(spec.timeout === undefined ? {} : { timeout: spec.timeout }),
      ...(spec.memory === undefined ? {} : { memory: spec.memory }),
      ...(spec.cpus === 1 ? {} : { cpus: spec.cpus }),
      ...(Object.keys(spec.resources).length === 0 ? {} : { resources: { ...spec.resources } }),
      ...(spec.spawns === true && { spawns: true }),
    };
  }

  /** Undefined: the job's inputs are numbers of a range. */
  readyInputs(job: JobId, block: TaskIndex): { packed: PackedColumn; column: Column } | undefined | 'absent' {
    const spec = this.#specs.get(job);
    if (spec === undefined) return 'absent';
    if (spec.range !== undefined) return undefined;
    return this.#inputs.get(job, block) ?? 'absent';
  }

  /** Reads what {@link ready} and {@link readyInputs} lack. Never rejects. */
  load({ job, block, code }: Wanted): Promise<'ready' | 'over' | Missing> {
    const name = `${job}/${block}/${code}`;
    const known = this.#loading.get(name);
    if (known !== undefined) return known;
    const loading = this.#load({ job, block, code })
      .catch((error: unknown): Missing => missing(error))
      .finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    return loading;
  }

  async #load({ job, block, code: place }: Wanted): Promise<'ready' | 'over' | Missing> {
    let spec = this.#specs.get(job);
    if (spec === undefined) {
      const known = await this.#store.readJob(job);
      if (known === undefined || hasEnded(known.progress.state)) return 'over';
      spec = known.spec;
      this.#specs.set(job, spec);
    }
    const code = codesOf(spec)[place] ?? spec.code;
    if (!this.#code.has(code.sha256) && travelsInline(code)) {
      const text = await this.#readCode(code.sha256);
      if (text === undefined) return { lasting: true, reason: `the job's code, blob ${code.sha256}, is gone` };
      if (this.#specs.has(job)) this.#code.set(code.sha256, text);
    }
    if (spec.range !== undefined || this.#inputs.get(job, block) !== undefined) return 'ready';
    const inputs = await this.#store.readInputs(job, block);
    // It may have ended while it was read.
    if (!this.#specs.has(job)) return 'over';
    if (inputs === undefined) return { lasting: true, reason: 'its input is gone' };
    this.#inputs.put(job, block, inputs);
    return 'ready';
  }

  async #readCode(sha256: string): Promise<string | undefined> {
    const bytes = await this.#blobs.read(sha256);
    if (bytes === undefined) return undefined;
    const decoder = new TextDecoder();
    let code = '';
    for await (const part of bytes) code += decoder.decode(part, { stream: true });
    return code + decoder.decode();
  }
}

/** A disk that is busy may answer the next time; what is damaged stays so. */
function missing(error: unknown): Missing {
  const lasting = (error instanceof StoreError && error.code === 'damaged') || error instanceof BlobError;
  return { lasting, reason: error instanceof Error ? error.message : String(error) };
}
