import type { Epoch, JobId, LeaseId } from '../../model/ids.ts';
import { codesOf, hasEnded, type JobProgress } from '../../model/job.ts';
import { changedProgress } from '../../model/progress.ts';
import type { Write } from '../../model/records.ts';

import { checkSegment } from '../reopen.ts';
import { newsOf, refuseStale } from '../stale.ts';
import { StoreError } from '../store.ts';
import type { MemoryDisk, StoredJob } from './memory-disk.ts';

/** Undoes one change. */
type Undo = () => void;

/** Applies a group: all of it, or nothing and an error (D4). Returns it as it is stored. */
export function applyWrites(disk: MemoryDisk, writes: readonly Write[], epoch: Epoch): readonly Write[] {
  const undo: Undo[] = [];
  try {
    if (disk.clock !== undefined) return applyShared(disk, writes, epoch, undo);
    for (const write of writes) applyWrite(disk, write, epoch, undo);
    return writes;
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** The same where others may have changed the jobs meanwhile (D19). */
function applyShared(disk: MemoryDisk, writes: readonly Write[], epoch: Epoch, undo: Undo[]): readonly Write[] {
  const ended = new Set<JobId>();
  for (const write of writes) {
    const about = newsOf(write);
    const job = about === undefined ? undefined : disk.jobs.get(about.job);
    if (job !== undefined) refuseStale(write, writes, job);
  }
  const stored: Write[] = [];
  for (const write of writes) {
    const numbered = placed(disk, write);
    stored.push(numbered);
    applyWrite(disk, numbered, epoch, undo);
    if (numbered.kind === 'progress' && hasEnded(numbered.progress.state)) ended.add(numbered.job);
  }
  for (const job of ended) dropRows(disk, job, undo);
  return stored.map((write) =>
    write.kind === 'progress' ? { ...write, progress: known(disk, write.job, 'progress').progress } : write,
  );
}

/** Segments, and inputs that tasks gave, come behind those that others have brought. */
function placed(disk: MemoryDisk, write: Write): Write {
  if (write.kind === 'inputs' && write.anywhere === true)
    return { ...write, first: known(disk, write.job, 'inputs').inputsEnd };
  if (write.kind !== 'segment') return write;
  const next = known(disk, write.segment.job, 'a segment').segments.length + 1;
  return { ...write, segment: { ...write.segment, seq: next } };
}

/** What an ended job leaves behind goes, whoever held it; what has not ended is cancelled. */
function dropRows(disk: MemoryDisk, id: JobId, undo: Undo[]): void {
  const job = known(disk, id, 'the end');
  for (const row of [...job.blocks.keys()]) remove(job.blocks, row, undo);
  for (const { lease, job: of } of [...disk.leases.values()]) if (of === id) removeLease(disk, lease, undo);
  remove(disk.hunger, id, undo);
  const { progress } = job;
  const { total, done, failed } = progress;
  setProgress(job, { ...progress, cancelled: total - done - failed }, undo);
}

export function idempotencyName(owner: string, key: string): string {
  return JSON.stringify([owner, key]);
}

type WriteOf<Kind extends Write['kind']> = Extract<Write, { kind: Kind }>;

type Applier<Kind extends Write['kind']> = (disk: MemoryDisk, write: WriteOf<Kind>, undo: Undo[], epoch: Epoch) => void;

const appliers: { readonly [Kind in Write['kind']]: Applier<Kind> } = {
  job: addJob,
  progress(disk, { job: id, progress, change }, undo) {
    const job = known(disk, id, 'progress');
    if (disk.clock === undefined || change === undefined) return setProgress(job, progress, undo);
    if (hasEnded(job.progress.state)) return;
    setProgress(job, changedProgress(job.progress, change), undo);
  },
  inputs: addInputs,
  block(disk, { block }, undo) {
    const job = known(disk, block.job, 'a block');
    const before = job.claimedTo;
    job.claimedTo = Math.max(before, block.first + block.count);
    undo.push(() => (job.claimedTo = before));
    set(job.blocks, disk.rowOf(block), block, undo);
  },
  blockEnded(disk, { job, first, part }, undo, epoch) {
    const { blocks } = known(disk, job, 'the end of a block');
    remove(blocks, disk.rowOf({ first, epoch, ...(part === undefined ? {} : { part }) }), undo);
  },
  blockFreed(disk, { block }, undo) {
    const job = known(disk, block.job, 'what is given back');
    if (disk.clock === undefined)
      throw new StoreError('conflict', 'there is no other server that could take what was given back');
    const freed = { ...block, epoch: 0, part: disk.nextPart++ };
    set(job.blocks, disk.rowOf(freed), freed, undo);
  },
  handedOver,
  lease(disk, { lease }, undo, epoch) {
    known(disk, lease.job, 'a lease');
    set(disk.leases, lease.lease, lease, undo);
    if (disk.clock !== undefined) set(disk.holders, lease.lease, epoch, undo);
  },
  leaseEnded: (disk, { lease }, undo) => removeLease(disk, lease, undo),
  segment: addSegment,
  attempt: (disk, { attempt }, undo) => push(known(disk, attempt.job, 'an attempt').attempts, attempt, undo),
  log(disk, { log }, undo) {
    const job = disk.jobs.get(log.job);
    if (job !== undefined) push(job.logs, { cursor: disk.nextLog++, log }, undo);
  },
  token(disk, { token }, undo) {
    disk.tokenWrites++;
    undo.push(() => disk.tokenWrites--);
    set(disk.tokens, token.id, token, undo);
  },
  blobRef(disk, { job, sha256 }, undo) {
    const { blobs } = known(disk, job, 'a blob');
    if (blobs.has(sha256)) return;
    blobs.add(sha256);
    undo.push(() => blobs.delete(sha256));
  },
  idempotency: addIdempotency,
};

function applyWrite<Kind extends Write['kind']>(
  disk: MemoryDisk,
  write: WriteOf<Kind>,
  epoch: Epoch,
  undo: Undo[],
): void {
  const kind = write.kind as Kind;
  appliers[kind](disk, write, undo, epoch);
}

function setProgress(job: StoredJob, progress: JobProgress, undo: Undo[]): void {
  const before = job.progress;
  job.progress = progress;
  undo.push(() => (job.progress = before));
}

function known(disk: MemoryDisk, id: JobId, what: string): StoredJob {
  const job = disk.jobs.get(id);
  if (job === undefined) throw new StoreError('conflict', `${what} for job ${id}, which is not there`);
  return job;
}

/** As if its holder were a server of its own that is over: a number below zero is never one that lived (D26). */
function handedOver(disk: MemoryDisk, { lease, block }: WriteOf<'handedOver'>, undo: Undo[]): void {
  const job = known(disk, block.job, 'what is handed over');
  if (disk.clock === undefined) throw new StoreError('conflict', 'there is no other server that could take it over');
  const part = disk.nextPart++;
  const [epoch, now] = [-part, disk.clock()];
  const { timeline } = disk;
  const gone = { facts: '', timeline, since: now, aliveUntil: now, steadySince: now, overAt: now, orders: [] };
  set(disk.members, epoch, gone, undo);
  set(job.blocks, disk.rowOf({ ...block, epoch, part }), { ...block, epoch, part }, undo);
  if (disk.leases.has(lease)) set(disk.holders, lease, epoch, undo);
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

function removeLease(disk: MemoryDisk, lease: LeaseId, undo: Undo[]): void {
  remove(disk.leases, lease, undo);
  remove(disk.holders, lease, undo);
}

function push<Value>(list: Value[], value: Value, undo: Undo[]): void {
  list.push(value);
  undo.push(() => list.pop());
}
