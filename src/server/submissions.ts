import { createHash } from 'node:crypto';
import type { BlobRef, PackedColumn } from '../model/envelope.ts';
import type { JobId, TaskIndex } from '../model/ids.ts';
import { codesOf, type JobSpec } from '../model/job.ts';
import type { Write } from '../model/records.ts';
import { readColumn } from '../protocol/column.ts';
import type { BlobStore } from '../store/blobs.ts';
import { type Store, StoreError } from '../store/store.ts';
import { largeInputs, mentionedBlobs, namesIn } from './blob-mentions.ts';
import type { Clock } from './clock.ts';
import { blobsIn, refuseOutcomesIn, refuseTooLarge } from './column-contents.ts';
import type { JobNotices } from './job-notices.ts';
import { notNow, RequestError, type Requests } from './requests.ts';

/** What a submitter may say of a job; everything but the code has a default. */
export type SubmitSpec = Pick<JobSpec, 'name' | 'code'> & Partial<Omit<JobSpec, 'owner' | 'submittedAt'>>;

export interface Submitted {
  readonly job: JobId;
  /** It was there before, under the same idempotency key. */
  readonly existing: boolean;
}

/** What submitters bring: jobs, and the inputs of open ones. */
export class Submissions {
  readonly #store: Store;
  readonly #blobs: BlobStore;
  readonly #clock: Clock;
  readonly #requests: Requests;
  readonly #notices: JobNotices;
  readonly #totalOf: (job: JobId) => number;
  readonly #check: (asked: SubmitSpec) => Promise<void>;
  /** By owner and key: two of the same at once make one job. */
  readonly #submitting = new Map<string, Promise<Submitted>>();
  /** Inputs that must be looked at before they are added, so that what comes after them waits its turn. */
  readonly #arriving = new Map<JobId, Promise<void>>();

  /** `totalOf`: the inputs that are known of a live job. `check`: rejects what may not be submitted now. */
  constructor(parts: {
    store: Store;
    blobs: BlobStore;
    clock: Clock;
    requests: Requests;
    notices: JobNotices;
    totalOf: (job: JobId) => number;
    check: (asked: SubmitSpec) => Promise<void>;
  }) {
    this.#store = parts.store;
    this.#blobs = parts.blobs;
    this.#clock = parts.clock;
    this.#requests = parts.requests;
    this.#notices = parts.notices;
    this.#totalOf = parts.totalOf;
    this.#check = parts.check;
  }

  /**
   * With an idempotency key the same submit gives the same job; another submit under the key is a conflict.
   * `about`: a digest of what else came with the submit. (F-17)
   */
  submit(asked: SubmitSpec, owner: string, open: boolean, code?: string, about?: string): Promise<Submitted> {
    if (asked.spawns === true && asked.range !== undefined)
      throw new RequestError('invalid', 'a job whose tasks add others takes its inputs one by one, not as a range');
    const key = asked.idempotencyKey;
    if (key === undefined) return this.#submitNew(asked, owner, open, code);
    const digest = createHash('sha256')
      .update(JSON.stringify([asked, open, about]))
      .digest('hex');
    const name = `${owner} ${key}`;
    const before = this.#submitting.get(name);
    const submitting = (before === undefined ? Promise.resolve() : before.then(nothing, nothing)).then(async () => {
      const known = await this.#store.findIdempotent(owner, key).catch(refuse);
      if (known === undefined)
        return this.#submitNew(asked, owner, open, code, { kind: 'idempotency', owner, key, digest, job: 0 });
      if (known.digest !== digest)
        throw new RequestError(
          'conflict',
          `the idempotency key ${key} belongs to job ${known.job}, which is another one`,
        );
      return { job: known.job, existing: true };
    });
    this.#submitting.set(name, submitting);
    const clear = () => {
      if (this.#submitting.get(name) === submitting) this.#submitting.delete(name);
    };
    submitting.then(clear, clear);
    return submitting;
  }

  /** `ok` also for what is stored already; the message of a `conflict` says where to go on (P17). */
  async addInputs(job: JobId, first: TaskIndex, count: number, column: PackedColumn): Promise<void> {
    const values = readColumn(column);
    if (values.count !== count) throw new RequestError('invalid', 'inputs with more or fewer values than tasks');
    refuseTooLarge(values);
    refuseOutcomesIn(values);
    const blobs = blobsIn(values);
    const mentions = namesIn(values.bytes).filter(({ name }) => this.#blobs.mayHave(name));
    const add = (sizes: ReadonlyMap<string, number>) => {
      const refs = [...sizes.keys()].map((sha256): Write => ({ kind: 'blobRef', job, sha256 }));
      const large = sizes.size === 0 ? [] : largeInputs(values, first, mentions, sizes);
      const added = { kind: 'inputsAdded', job, first, count, ...(large.length > 0 && { large }) } as const;
      return this.#requests.ask((request) => ({ ...added, request }), column, refs);
    };
    const before = this.#arriving.get(job);
    const known = this.#totalOf(job);
    if (before === undefined && blobs.length === 0 && mentions.length === 0 && first + count > known)
      return add(new Map());
    // The next ones may be added as soon as these are on their way; only their answers wait for the disk.
    let answer: Promise<void> | undefined;
    const turn = (before ?? Promise.resolve()).then(async () => {
      await this.#mustHave(blobs);
      const sizes = await mentionedBlobs(this.#blobs, mentions, blobs);
      if (!(await this.#isStored(job, first, count))) answer = add(sizes);
    });
    const passed = turn.then(nothing, nothing);
    this.#arriving.set(job, passed);
    void passed.then(() => {
      if (this.#arriving.get(job) === passed) this.#arriving.delete(job);
    });
    await turn;
    await answer;
  }

  async #submitNew(
    asked: SubmitSpec,
    owner: string,
    open: boolean,
    code: string | undefined,
    key?: Write,
  ): Promise<Submitted> {
    await this.#check(asked);
    const { sha256 } = asked.code;
    if (code !== undefined) await this.#keepCode(sha256, code);
    const uploaded = code === undefined ? codesOf(asked) : codesOf(asked).slice(1);
    await this.#mustHave(uploaded.map((each) => ({ sha256: each.sha256 })));
    const job = await this.#store.nextJobId().catch(refuse);
    const spec: JobSpec = {
      priority: 0,
      weight: 1,
      retries: 0,
      requires: {},
      cpus: 1,
      resources: {},
      fenced: false,
      ...asked,
      owner,
      submittedAt: this.#clock.wall(),
    };
    const extra = codesOf(asked).map((each): Write => ({ kind: 'blobRef', job, sha256: each.sha256 }));
    if (key?.kind === 'idempotency') extra.push({ ...key, job });
    this.#notices.know(job, spec);
    if (code !== undefined) this.#notices.knowCode(sha256, code);
    try {
      await this.#requests.ask((request) => ({ kind: 'jobSubmitted', request, job, spec, open }), undefined, extra);
    } catch (error) {
      this.#notices.forget(job);
      throw error;
    }
    return { job, existing: false };
  }

  async #keepCode(sha256: string, code: string): Promise<void> {
    const bytes = new TextEncoder().encode(code);
    if (createHash('sha256').update(bytes).digest('hex') !== sha256)
      throw new RequestError('invalid', "the code's SHA-256 is not the one named");
    if ((await this.#blobs.size(sha256)) === undefined) await this.#blobs.put(sha256, once(bytes));
  }

  async #mustHave(blobs: readonly (Pick<BlobRef, 'sha256'> & Partial<BlobRef>)[]): Promise<void> {
    const sizes = await Promise.all(blobs.map(({ sha256 }) => this.#blobs.size(sha256)));
    for (const [i, { sha256, size }] of blobs.entries()) {
      if (sizes[i] === undefined)
        throw new RequestError('invalid', `blob ${sha256} was not uploaded: PUT /v1/blobs/${sha256} first`);
      if (size !== undefined && sizes[i] !== size)
        throw new RequestError('invalid', `blob ${sha256} has ${sizes[i]} bytes, not ${size}`);
    }
  }

  async #isStored(job: JobId, first: TaskIndex, count: number): Promise<boolean> {
    if (first + count > this.#totalOf(job)) return false;
    const [block] = await this.#store.listBlocks(job, first, 1);
    return block?.first === first && block.count === count;
  }
}

function nothing(): void {}

/** The store says no before anything was decided. */
function refuse(error: unknown): never {
  throw error instanceof StoreError ? notNow(error) : error;
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
