import { endedExcept } from '../../model/bitmaps.ts';
import type { PackedColumn } from '../../model/envelope.ts';
import type { Epoch, JobId, TaskIndex } from '../../model/ids.ts';
import { type BlockRecord, hasEnded, type Job, type JobState } from '../../model/job.ts';
import type { LogRecord, TokenRecord, Write } from '../../model/records.ts';
import type { Run } from '../../model/runs.ts';
import { copyBlock, copyWrite } from '../copies.ts';
import { failuresByBlock, rangeBlockCount, rangeBlocks, reopened } from '../reopen.ts';
import {
  type BatchQuery,
  type ClaimedBlock,
  type Recovered,
  type SegmentQuery,
  type SharedStore,
  type Store,
  type StoredBatch,
  type StoredSegment,
  StoreError,
  type TaskHistory,
} from '../store.ts';
import { inIndexOrder, MemoryDisk, type StoredJob } from './memory-disk.ts';
import { MemoryMember, rewound } from './memory-member.ts';
import { applyWrites, idempotencyName } from './memory-writes.ts';

export interface MemoryStoreOptions {
  /**
   * Stands where the disk is written: every change of the data goes through it as `apply`, one at a time and in order. A
   * simulator may wait before or after it, throw without it (`full`, or `broken` before), or throw `broken` after it.
   */
  readonly commitGate?: (apply: () => void) => Promise<void>;
}

/** The reference: what every other store must answer. */
export class MemoryStore implements Store {
  readonly farm: string;
  readonly shared?: SharedStore;
  readonly #member?: MemoryMember;
  readonly #disk: MemoryDisk;
  readonly #gate: (apply: () => void) => Promise<void>;
  /** Resolves once all verbs called so far have acted (D15). */
  #tail: Promise<unknown> = Promise.resolve();
  #dead = false;
  #closed = false;
  #broken: StoreError | undefined;

  constructor(disk = new MemoryDisk(), options: MemoryStoreOptions = {}) {
    if (disk.clock === undefined) {
      if (disk.holder !== undefined) throw new StoreError('locked', 'this data is open in another store');
      disk.holder = this;
    }
    this.farm = disk.farm;
    this.#disk = disk;
    if (disk.clock !== undefined) this.shared = this.#member = new MemoryMember(disk, (change) => this.#change(change));
    this.#gate = options.commitGate ?? (async (apply) => apply());
  }

  /** The process dies: what has not been applied never will be, what waits for an answer never gets one. */
  crash(): void {
    this.#dead = true;
    this.#member?.leave();
    if (this.#disk.holder === this) this.#disk.holder = undefined;
  }

  start(): Promise<Epoch> {
    return this.#change((disk) => {
      if (this.#member !== undefined) this.#member.join();
      else disk.epoch += 1;
      return disk.epoch;
    });
  }

  recover(epoch: Epoch): Promise<Recovered> {
    return this.#change((disk) => {
      this.#fence(epoch);
      const open = [...disk.jobs].filter(([, job]) => !hasEnded(job.progress.state)).sort(([a], [b]) => a - b);
      const held = this.#member === undefined ? takeAll(disk, open, epoch) : this.#member.recover(open, epoch);
      return {
        jobs: open.map(([id, job]) => jobOf(id, job)),
        ...held,
        forgetting: [...disk.forgetting.keys()].sort((a, b) => a - b),
      };
    });
  }

  nextJobId(): Promise<JobId> {
    return this.#change((disk) => {
      if (disk.timeline !== disk.knownTimeline) throw rewound();
      return disk.nextJob++;
    });
  }

  commit(writes: readonly Write[], epoch: Epoch): Promise<readonly Write[]> {
    const copies = writes.map(copyWrite);
    return this.#change((disk) => {
      this.#fence(epoch);
      return applyWrites(disk, copies, epoch);
    });
  }

  claim(id: JobId, max: number, epoch: Epoch): Promise<ClaimedBlock[]> {
    return this.#change((disk) => {
      this.#fence(epoch);
      const job = disk.jobs.get(id);
      if (job === undefined || hasEnded(job.progress.state)) return [];
      const free = inIndexOrder(job.blocks).filter((block) => block.epoch === 0);
      const claimed = free.slice(0, max).map((block) => ({ ...block, epoch }));
      while (claimed.length < max) {
        const first = job.claimedTo;
        const count = job.spec.range ? rangeBlockCount(job.spec.range, first) : (job.inputs.get(first)?.count ?? 0);
        if (count === 0) break;
        job.claimedTo = first + count;
        claimed.push({ job: id, first, count, generation: job.progress.generation, exceptions: [], epoch });
      }
      for (const block of free.slice(0, max)) job.blocks.delete(disk.rowOf(block));
      for (const block of claimed) job.blocks.set(disk.rowOf(block), block);
      if (claimed.length === 0) this.#member?.hungry(id, epoch);
      return claimed.map((block) => {
        const inputs = job.inputs.get(block.first)?.column.slice();
        return inputs === undefined ? { block: copyBlock(block) } : { block: copyBlock(block), inputs };
      });
    });
  }

  readInputs(id: JobId, first: TaskIndex): Promise<PackedColumn | undefined> {
    return this.#read((disk) => disk.jobs.get(id)?.inputs.get(first)?.column.slice());
  }

  readSegments(id: JobId, query: SegmentQuery, maxBytes: number): Promise<StoredSegment[]> {
    return this.#read((disk) => {
      if (query.history !== undefined) this.#member?.checkHistory(query.history);
      const found: StoredSegment[] = [];
      let bytes = 0;
      for (const stored of disk.jobs.get(id)?.segments ?? []) {
        const { segment, column } = stored;
        if (segment.seq <= query.after || (query.block !== undefined && segment.block !== query.block)) continue;
        if (found.length > 0 && bytes + column.length > maxBytes) break;
        found.push({ segment, column: column.slice() });
        bytes += column.length;
      }
      return found;
    });
  }

  readBatches(id: JobId, { after, step, limit }: BatchQuery, maxBytes: number): Promise<StoredBatch[]> {
    return this.#read((disk) => {
      const segments = disk.jobs.get(id)?.segments ?? [];
      const found: StoredBatch[] = [];
      let left = maxBytes;
      for (let at = after; at < segments.length && found.length < limit && left > 0; at += step) {
        const { segment, column } = segments[at] as StoredSegment;
        found.push({ segment, bytes: column.length });
        left -= column.length;
      }
      return found;
    });
  }

  readAttempts(id: JobId, { after, limit }: { after: number; limit: number }) {
    return this.#read((disk) => {
      const attempts = disk.jobs.get(id)?.attempts ?? [];
      return attempts.slice(after, after + limit).map((attempt, at) => ({ cursor: after + at + 1, attempt }));
    });
  }

  listBlocks(id: JobId, from: TaskIndex, limit: number): Promise<{ first: TaskIndex; count: number }[]> {
    return this.#read((disk) => {
      const job = disk.jobs.get(id);
      if (job === undefined) return [];
      if (job.spec.range) return rangeBlocks(job.spec.range, from, limit);
      const all = [...job.inputs].map(([first, { count }]) => ({ first, count }));
      return all.filter(({ first }) => first >= from).slice(0, limit);
    });
  }

  readJob(id: JobId): Promise<Job | undefined> {
    return this.#read((disk) => {
      const job = disk.jobs.get(id);
      return job && jobOf(id, job);
    });
  }

  listJobs(query: { before?: JobId; limit: number; states?: readonly JobState[] }): Promise<Job[]> {
    const { before = Number.POSITIVE_INFINITY, limit, states } = query;
    return this.#read((disk) =>
      [...disk.jobs]
        .filter(([id, job]) => id < before && (states === undefined || states.includes(job.progress.state)))
        .sort(([a], [b]) => b - a)
        .slice(0, limit)
        .map(([id, job]) => jobOf(id, job)),
    );
  }

  readTask(id: JobId, index: TaskIndex): Promise<TaskHistory> {
    return this.#read((disk) => {
      const job = disk.jobs.get(id);
      const attempts = job?.attempts.filter((attempt) => attempt.index === index) ?? [];
      const last = job?.segments.findLast(({ segment }) => includes(segment.runs, index));
      if (last === undefined) return { attempts };
      return { segment: { segment: last.segment, column: last.column.slice() }, attempts };
    });
  }

  readLogs(id: JobId, query: { index?: TaskIndex; after: number; limit: number }) {
    return this.#read((disk): { cursor: number; log: LogRecord }[] => {
      const logs = disk.jobs.get(id)?.logs ?? [];
      return logs
        .filter(({ cursor, log }) => cursor > query.after && (query.index === undefined || log.index === query.index))
        .slice(0, query.limit);
    });
  }

  reopen(id: JobId): Promise<number> {
    return this.#change((disk) => {
      const job = disk.jobs.get(id);
      if (job === undefined || !hasEnded(job.progress.state)) return 0;
      const open = failuresByBlock(job.segments, job.progress.generation);
      if (open.size === 0) return 0;
      job.progress = reopened(job.progress);
      job.claimedTo = job.spec.range?.count ?? job.inputsEnd;
      dropLeases(disk, id);
      job.blocks.clear();
      let tasks = 0;
      for (const [first, runs] of open) {
        const size = job.spec.range ? rangeBlockCount(job.spec.range, first) : (job.inputs.get(first)?.count ?? 0);
        const ended = endedExcept(first, size, runs);
        const { generation } = job.progress;
        const block = { job: id, first, count: size, generation, ended, exceptions: [], epoch: 0 };
        const part = this.#member === undefined ? {} : { part: disk.nextPart++ };
        job.blocks.set(disk.rowOf({ ...block, ...part }), { ...block, ...part });
        for (const run of runs) tasks += run.count;
      }
      return tasks;
    });
  }

  forget(id: JobId): Promise<boolean> {
    return this.#change((disk) => {
      const job = disk.jobs.get(id);
      if (job === undefined) {
        disk.forgetting.delete(id);
        return true;
      }
      if (!hasEnded(job.progress.state)) throw new StoreError('conflict', `job ${id} has not ended; cancel it first`);
      disk.jobs.delete(id);
      for (const [name, { job: of }] of [...disk.idempotency]) if (of === id) disk.idempotency.delete(name);
      dropLeases(disk, id);
      disk.hunger.delete(id);
      disk.forgetting.set(id, job);
      return false;
    });
  }

  findIdempotent(owner: string, key: string): Promise<{ job: JobId; digest: string } | undefined> {
    return this.#read((disk) => disk.idempotency.get(idempotencyName(owner, key)));
  }

  listTokens(): Promise<TokenRecord[]> {
    return this.#read((disk) => [...disk.tokens.values()].sort((a, b) => (a.id < b.id ? -1 : 1)));
  }

  unreferenced(sha256: readonly string[]): Promise<string[]> {
    return this.#read((disk) => {
      const jobs = [...disk.jobs.values(), ...disk.forgetting.values()];
      return sha256.filter((name) => !jobs.some((job) => job.blobs.has(name)));
    });
  }

  backup(): Promise<void> {
    return this.#read(() => {
      throw new StoreError('conflict', 'data in memory has no file to copy');
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#read(() => this.#member?.close()).catch(() => undefined);
    this.#closed = true;
    if (this.#disk.holder === this) this.#disk.holder = undefined;
  }

  #fence(epoch: Epoch): void {
    if (this.#member !== undefined) return void this.#member.fence(epoch);
    if (epoch === this.#disk.epoch) return;
    throw new StoreError('fenced', `epoch ${epoch} is over, the current one is ${this.#disk.epoch}`);
  }

  #read<Value>(look: (disk: MemoryDisk) => Value): Promise<Value> {
    return this.#queue(async () => look(this.#disk));
  }

  #change<Value>(change: (disk: MemoryDisk) => Value): Promise<Value> {
    return this.#queue(async () => {
      let value: { is: Value } | undefined;
      await this.#gate(() => {
        if (!this.#dead) value = { is: change(this.#disk) };
      });
      if (value === undefined) throw new StoreError('broken', 'the gate did not apply the change');
      return value.is;
    });
  }

  #queue<Value>(act: () => Promise<Value>): Promise<Value> {
    const result = this.#tail.then(async () => {
      if (this.#closed) throw new StoreError('broken', 'the store is closed');
      if (this.#broken !== undefined) throw this.#broken;
      try {
        if (!this.#dead) return await act();
      } catch (error) {
        if (error instanceof StoreError && error.code === 'broken') this.#broken = error;
        if (!this.#dead) throw error;
      }
      return await new Promise<never>(() => {});
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }
}

function jobOf(id: JobId, job: StoredJob): Job {
  return { id, spec: job.spec, progress: job.progress, claimedTo: job.claimedTo };
}

function dropLeases(disk: MemoryDisk, id: JobId): void {
  for (const { lease, job } of [...disk.leases.values()]) {
    if (job !== id) continue;
    disk.leases.delete(lease);
    disk.holders.delete(lease);
  }
}

/** Whatever was held is this epoch's: nobody else has the data open. */
function takeAll(
  disk: MemoryDisk,
  open: readonly (readonly [JobId, StoredJob])[],
  epoch: Epoch,
): Pick<Recovered, 'blocks' | 'leases'> {
  const blocks: BlockRecord[] = [];
  for (const [, job] of open) {
    for (const block of inIndexOrder(job.blocks)) {
      if (block.epoch === 0) continue;
      job.blocks.set(disk.rowOf(block), { ...block, epoch });
      blocks.push(copyBlock({ ...block, epoch }));
    }
  }
  const ids = new Set(open.map(([id]) => id));
  return {
    blocks,
    leases: [...disk.leases.values()].filter(({ job }) => ids.has(job)).sort((a, b) => a.lease - b.lease),
  };
}

function includes(runs: readonly Run[], index: TaskIndex): boolean {
  return runs.some((run) => index >= run.start && index < run.start + run.count);
}
