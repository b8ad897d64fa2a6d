import type { JobId } from '../../model/ids.ts';
import { type BlockRecord, codesOf } from '../../model/job.ts';
import type { Write } from '../../model/records.ts';
import { checkSegment } from '../reopen.ts';
import { StoreError } from '../store.ts';
import type { MemoryDisk, StoredJob } from './memory-disk.ts';

/** Undoes one change. */
type Undo = () => void;

/** Applies a group: all of it, or nothing and an error (D4). */
export function applyWrites(disk: MemoryDisk, writes: readonly Write[]): void {
  const undo: Undo[] = [];
  try {
    for (const write of writes) applyWrite(disk, write, undo);
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** The caller's bytes may be views of buffers that it uses again, and `slice` of a Buffer is a view too. */
export function copyWrite(write: Write): Write {
  if (write.kind === 'inputs' || write.kind === 'segment') return { ...write, column: new Uint8Array(write.column) };
  if (write.kind === 'block') return { kind: 'block', block: copyBlock(write.block) };
  return write;
}

export function copyBlock(block: BlockRecord): BlockRecord {
  return block.ended === undefined ? block : { ...block, ended: new Uint8Array(block.ended) };
}

export function idempotencyName(owner: string, key: string): string {
  return JSON.stringify([owner, key]);
}

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;

const appliers: { readonly [Kind in Write['kind']]: (disk: MemoryDisk, write: WriteOf<Kind>, undo: Undo[]) => void } = {
  job: addJob,
  progress(disk, write, undo) {
    const job = known(disk, write.job, 'progress');
    const before = job.progress;
    job.progress = write.progress;
    undo.push(() => (job.progress = before));
  },
  inputs: addInputs,
  block(disk, { block }, undo) {
    const job = known(disk, block.job, 'a block');
    const before = job.claimedTo;
    job.claimedTo = Math.max(before, block.first + block.count);
    undo.push(() => (job.claimedTo = before));
    set(job.blocks, block.first, block, undo);
  },
  blockEnded(disk, write, undo) {
    remove(known(disk, write.job, 'the end of a block').blocks, write.first, undo);
  },
  lease(disk, { lease }, undo) {
    known(disk, lease.job, 'a lease');
    set(disk.leases, lease.lease, lease, undo);
  },
  leaseEnded: (disk, { lease }, undo) => remove(disk.leases, lease, undo),
  segment: addSegment,
  attempt: (disk, { attempt }, undo) => push(known(disk, attempt.job, 'an attempt').attempts, attempt, undo),
  log(disk, { log }, undo) {
    const job = disk.jobs.get(log.job);
    if (job !== undefined) push(job.logs, { cursor: disk.nextLog++, log }, undo);
  },
  token: (disk, { token }, undo) => set(disk.tokens, token.id, token, undo),
  blobRef(disk, { job, sha256 }, undo) {
    const { blobs } = known(disk, job, 'a blob');
    if (blobs.has(sha256)) return;
    blobs.add(sha256);
    undo.push(() => blobs.delete(sha256));
  },
  idempotency: addIdempotency,
};

function applyWrite<Kind extends Write['kind']>(disk: MemoryDisk, write: WriteOf<Kind>, undo: Undo[]): void {
  const kind = write.kind as Kind;
  appliers[kind](disk, write, undo);
}

function known(disk: MemoryDisk, id: JobId, what: string): StoredJob {
  const job = disk.jobs.get(id);
  if (job === undefined) throw new StoreError('conflict', `${what} for job ${id}, which is not there`);
  return job;
}

function addJob(disk: MemoryDisk, write: WriteOf<'job'>, undo: Undo[]): void {
  if (disk.jobs.has(write.job) || disk.forgetting.has(write.job)) {
    throw new StoreError('conflict', `job ${write.job} is there already`);
  }
  const job: StoredJob = {
    spec: write.spec,
    progress: write.progress,
    claimedTo: 0,
    inputs: new Map(),
    inputsEnd: 0,
    blocks: new Map(),
    segments: [],
    attempts: [],
    logs: [],
    blobs: new Set(codesOf(write.spec).map(({ sha256 }) => sha256)),
  };
  set(disk.jobs, write.job, job, undo);
}

function addInputs(disk: MemoryDisk, write: WriteOf<'inputs'>, undo: Undo[]): void {
  const job = known(disk, write.job, 'inputs');
  const { first, count, column } = write;
  const stored = job.inputs.get(first);
  if (stored !== undefined) {
    if (stored.count === count && Buffer.compare(stored.column, column) === 0) return;
    throw new StoreError('conflict', `other inputs for block ${first} of job ${write.job} than those that are stored`);
  }
  const end = job.inputsEnd;
  if (first !== end) {
    throw new StoreError('conflict', `inputs of job ${write.job} at ${first}, but those that are stored end at ${end}`);
  }
  job.inputsEnd = first + count;
  undo.push(() => (job.inputsEnd = end));
  set(job.inputs, first, { count, column }, undo);
}

function addSegment(disk: MemoryDisk, { segment, column }: WriteOf<'segment'>, undo: Undo[]): void {
  const job = known(disk, segment.job, 'a segment');
  const next = job.segments.length + 1;
  if (segment.seq !== next) {
    throw new StoreError('conflict', `segment ${segment.seq} of job ${segment.job}, but the next one is ${next}`);
  }
  checkSegment(segment);
  push(job.segments, { segment, column }, undo);
}

function addIdempotency(disk: MemoryDisk, write: WriteOf<'idempotency'>, undo: Undo[]): void {
  known(disk, write.job, 'an idempotency key');
  const name = idempotencyName(write.owner, write.key);
  const stored = disk.idempotency.get(name);
  if (stored === undefined) {
    set(disk.idempotency, name, { job: write.job, digest: write.digest }, undo);
  } else if (stored.job !== write.job || stored.digest !== write.digest) {
    throw new StoreError('conflict', `idempotency key '${write.key}' already stands for job ${stored.job}`);
  }
}

function set<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, undo: Undo[]): void {
  const before = map.get(key);
  map.set(key, value);
  undo.push(() => (before === undefined ? map.delete(key) : map.set(key, before)));
}

function remove<Key, Value>(map: Map<Key, Value>, key: Key, undo: Undo[]): void {
  const before = map.get(key);
  if (before === undefined) return;
  map.delete(key);
  undo.push(() => map.set(key, before));
}

function push<Value>(list: Value[], value: Value, undo: Undo[]): void {
  list.push(value);
  undo.push(() => list.pop());
}
