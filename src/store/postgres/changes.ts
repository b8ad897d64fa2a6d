import type { Epoch, JobId, LeaseId } from '../../model/ids.ts';
import {
  type BlockRecord,
  codesOf,
  hasEnded,
  type JobProgress,
  type JobSpec,
  type LeaseRecord,
} from '../../model/job.ts';
import { changedProgress } from '../../model/progress.ts';
import type { AttemptRecord, LogRecord, TokenRecord, Write } from '../../model/records.ts';
import { checkSegment } from '../reopen.ts';
import { newsOf, refuseStale } from '../stale.ts';
import { StoreError } from '../store.ts';

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;

/** The row of a job that a group has locked, or makes. */
export interface HeldJob {
  /** Of a job that is new. */
  readonly spec?: JobSpec;
  progress: JobProgress;
  /** Of the row that this one takes the place of. */
  readonly version: number;
  lastSegment: number;
  inputsEnd: number;
  readonly claimedTo: number;
  isChanged: boolean;
}

export interface IdempotencyRow {
  readonly owner: string;
  readonly key: string;
  readonly job: JobId;
  readonly digest: string;
}

export interface Found {
  readonly jobs: Map<JobId, HeldJob>;
  readonly forgetting: ReadonlySet<JobId>;
  readonly idempotency: readonly IdempotencyRow[];
  storedInputs(job: JobId, first: number): Promise<{ count: number; packed: Uint8Array } | undefined>;
}

/** How the row of a block is named. */
interface BlockName {
  readonly job: JobId;
  readonly first: number;
  readonly epoch: Epoch;
  readonly part: number;
}

/** What a group comes to, table by table: of each row only what it is in the end. */
export class Changes {
  readonly jobs: Map<JobId, HeldJob>;
  readonly ended = new Set<JobId>();
  readonly inputs: WriteOf<'inputs'>[] = [];
  readonly blocks = new Map<string, { name: BlockName; block: BlockRecord | undefined }>();
  readonly freed: BlockRecord[] = [];
  readonly handed: WriteOf<'handedOver'>[] = [];
  readonly leases = new Map<LeaseId, LeaseRecord | undefined>();
  readonly segments: WriteOf<'segment'>[] = [];
  readonly attempts: AttemptRecord[] = [];
  readonly logs: LogRecord[] = [];
  readonly tokens = new Map<string, TokenRecord>();
  tokenWrites = 0;
  readonly blobRefs: { job: JobId; sha256: string }[] = [];
  readonly idempotency = new Map<string, IdempotencyRow>();
  readonly claimedTo = new Map<JobId, number>();
  readonly #found: Found;
  readonly #epoch: Epoch;

  constructor(found: Found, epoch: Epoch) {
    this.#found = found;
    this.#epoch = epoch;
    this.jobs = found.jobs;
  }

  /** The writes as they will be stored, or why not (D14, D19). */
  async take(writes: readonly Write[]): Promise<Write[]> {
    for (const write of writes) {
      const about = newsOf(write);
      const job = about === undefined ? undefined : this.jobs.get(about.job);
      if (job !== undefined) refuseStale(write, writes, job);
    }
    const stored: Write[] = [];
    for (const write of writes) stored.push(await this.#apply(write));
    for (const id of this.ended) this.#end(id);
    return stored.map((write) =>
      write.kind === 'progress' ? { ...write, progress: this.#known(write.job, 'progress').progress } : write,
    );
  }

  async #apply(write: Write): Promise<Write> {
    switch (write.kind) {
      case 'job':
        this.#job(write);
        return write;
      case 'progress':
        this.#progress(write);
        return write;
      case 'inputs': {
        const placed =
          write.anywhere === true ? { ...write, first: this.#known(write.job, 'inputs').inputsEnd } : write;
        await this.#inputs(placed);
        return placed;
      }
      case 'segment':
        return this.#segment(write);
      case 'block':
      case 'blockEnded':
      case 'blockFreed':
        this.#block(write);
        return write;
      case 'handedOver':
        this.#known(write.block.job, 'what is handed over');
        this.handed.push(write);
        return write;
      case 'lease':
        this.#known(write.lease.job, 'a lease');
        this.leases.set(write.lease.lease, write.lease);
        return write;
      case 'leaseEnded':
        this.leases.set(write.lease, undefined);
        return write;
      default:
        this.#rare(write);
        return write;
    }
  }

  #rare(write: WriteOf<'attempt' | 'log' | 'token' | 'blobRef' | 'idempotency'>): void {
    switch (write.kind) {
      case 'attempt':
        this.#known(write.attempt.job, 'an attempt');
        this.attempts.push(write.attempt);
        break;
      case 'log':
        if (this.jobs.has(write.log.job)) this.logs.push(write.log);
        break;
      case 'token':
        this.tokenWrites += 1;
        this.tokens.set(write.token.id, write.token);
        break;
      case 'blobRef':
        this.#known(write.job, 'a blob');
        this.blobRefs.push(write);
        break;
      case 'idempotency':
        this.#idempotency(write);
    }
  }

  #job({ job, spec, progress }: WriteOf<'job'>): void {
    if (this.jobs.has(job) || this.#found.forgetting.has(job)) {
      throw new StoreError('conflict', `job ${job} is there already`);
    }
    this.jobs.set(job, { spec, progress, version: 0, lastSegment: 0, inputsEnd: 0, claimedTo: 0, isChanged: true });
    for (const { sha256 } of codesOf(spec)) this.blobRefs.push({ job, sha256 });
  }

  #progress({ job: id, progress, change }: WriteOf<'progress'>): void {
    const job = this.#known(id, 'progress');
    if (hasEnded(progress.state)) this.ended.add(id);
    if (change !== undefined && hasEnded(job.progress.state)) return;
    job.progress = change === undefined ? progress : changedProgress(job.progress, change);
    job.isChanged = true;
  }

  async #inputs(write: WriteOf<'inputs'>): Promise<void> {
    const { job: id, first, count, column } = write;
    const job = this.#known(id, 'inputs');
    if (first === job.inputsEnd) {
      this.inputs.push(write);
      job.inputsEnd = first + count;
      job.isChanged = true;
      return;
    }
    const own = this.inputs.find((each) => each.job === id && each.first === first);
    const stored =
      own === undefined ? await this.#found.storedInputs(id, first) : { count: own.count, packed: own.column };
    if (stored === undefined) {
      const end = job.inputsEnd;
      throw new StoreError('conflict', `inputs of job ${id} at ${first}, but those that are stored end at ${end}`);
    }
    if (stored.count !== count || Buffer.compare(stored.packed, column) !== 0) {
      throw new StoreError('conflict', `other inputs for block ${first} of job ${id} than those that are stored`);
    }
  }

  /** Whatever number it came with: servers that know nothing of each other bring segments to the same job. */
  #segment({ kind, segment, column }: WriteOf<'segment'>): Write {
    const job = this.#known(segment.job, 'a segment');
    checkSegment(segment);
    job.lastSegment += 1;
    job.isChanged = true;
    const stored = { kind, segment: { ...segment, seq: job.lastSegment }, column };
    this.segments.push(stored);
    return stored;
  }

  #block(write: WriteOf<'block' | 'blockEnded' | 'blockFreed'>): void {
    if (write.kind === 'blockFreed') {
      this.#known(write.block.job, 'what is given back');
      this.freed.push(write.block);
      return;
    }
    if (write.kind === 'blockEnded') {
      this.#known(write.job, 'the end of a block');
      return this.#setBlock(
        { job: write.job, first: write.first, epoch: this.#epoch, part: write.part ?? 0 },
        undefined,
      );
    }
    const { block } = write;
    const { job, first, count, epoch } = block;
    const { claimedTo } = this.#known(job, 'a block');
    const end = first + count;
    if (end > claimedTo) this.claimedTo.set(job, Math.max(end, this.claimedTo.get(job) ?? 0));
    this.#setBlock({ job, first, epoch, part: block.part ?? 0 }, block);
  }

  #setBlock(name: BlockName, block: BlockRecord | undefined): void {
    this.blocks.set(`${name.job}/${name.first}/${name.epoch}/${name.part}`, { name, block });
  }

  #idempotency({ owner, key, job, digest }: WriteOf<'idempotency'>): void {
    this.#known(job, 'an idempotency key');
    const name = JSON.stringify([owner, key]);
    const stored =
      this.idempotency.get(name) ?? this.#found.idempotency.find((each) => each.owner === owner && each.key === key);
    if (stored === undefined) {
      this.idempotency.set(name, { owner, key, job, digest });
    } else if (stored.job !== job || stored.digest !== digest) {
      throw new StoreError('conflict', `idempotency key '${key}' already stands for job ${stored.job}`);
    }
  }

  /** What an ended job leaves behind goes, whoever held it; what has not ended is cancelled. */
  #end(id: JobId): void {
    const job = this.#known(id, 'the end');
    for (const [
      name,
      {
        name: { job: of },
      },
    ] of [...this.blocks])
      if (of === id) this.blocks.delete(name);
    for (const [lease, record] of [...this.leases]) if (record?.job === id) this.leases.delete(lease);
    const { total, done, failed } = job.progress;
    job.progress = { ...job.progress, cancelled: total - done - failed };
    job.isChanged = true;
  }

  #known(id: JobId, what: string): HeldJob {
    const job = this.jobs.get(id);
    if (job === undefined) throw new StoreError('conflict', `${what} for job ${id}, which is not there`);
    return job;
  }
}
