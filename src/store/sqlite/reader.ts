import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { PackedColumn } from '../../model/envelope.ts';
import type { JobId, TaskIndex } from '../../model/ids.ts';
import type { BlockRecord, Job, JobState, LeaseRecord } from '../../model/job.ts';
import type { AttemptRecord, LogRecord, SegmentRecord, TokenRecord } from '../../model/records.ts';
import { rangeBlocks } from '../reopen.ts';
import type { BatchQuery, SegmentQuery, StoredBatch, StoredSegment, TaskHistory } from '../store.ts';
import { damaged, digest } from './digest.ts';
import { segmentRow } from './writer.ts';

/** What is stored, as records. */
export class Reader {
  readonly #sql: Statements;

  constructor(db: DatabaseSync) {
    this.#sql = prepare(db);
  }

  farm(): { name: string; epoch: number; nextJob: number } {
    const row = this.#sql.farm.get() as { name: string; epoch: number; nextJob: number; crc: number } | undefined;
    if (row?.crc !== digest([row?.name ?? '', row?.epoch ?? 0, row?.nextJob ?? 0])) throw damaged("the farm's own row");
    return row;
  }

  job(id: JobId): Job | undefined {
    const row = this.#sql.job.get(id);
    return row && toJob(row as unknown as JobRow);
  }

  openJobs(): Job[] {
    return (this.#sql.openJobs.all() as unknown as JobRow[]).map(toJob);
  }

  listJobs(query: { before?: JobId; limit: number; states?: readonly JobState[] }): Job[] {
    const { before = Number.MAX_SAFE_INTEGER, limit, states } = query;
    const wanted = states === undefined ? null : JSON.stringify(states);
    return (this.#sql.listJobs.all(before, wanted, wanted, limit) as unknown as JobRow[]).map(toJob);
  }

  blocks(job: JobId): BlockRecord[] {
    return (this.#sql.blocks.all(job) as unknown as BlockRow[]).map(toBlock);
  }

  freeBlocks(job: JobId, max: number): BlockRecord[] {
    return (this.#sql.freeBlocks.all(job, max) as unknown as BlockRow[]).map(toBlock);
  }

  leases(): LeaseRecord[] {
    return (this.#sql.leases.all() as { lease: number; job: JobId; record: string; crc: number }[]).map((row) => {
      if (row.crc !== digest([row.lease, row.job, row.record])) throw damaged(`lease ${row.lease}`);
      return JSON.parse(row.record) as LeaseRecord;
    });
  }

  forgetting(): JobId[] {
    return (this.#sql.forgetting.all() as { job: JobId; crc: number }[]).map(({ job, crc }) => {
      if (crc !== digest([job])) throw damaged(`the forgetting of job ${job}`);
      return job;
    });
  }

  /** Stored input blocks, from an index on. */
  inputBlocks(job: JobId, from: TaskIndex, limit: number): { first: TaskIndex; count: number }[] {
    return this.#sql.inputBlocks.all(job, from, limit) as { first: TaskIndex; count: number }[];
  }

  inputsEnd(job: JobId): TaskIndex {
    const last = this.#sql.lastInputs.get(job) as { first: number; count: number } | undefined;
    return last === undefined ? 0 : last.first + last.count;
  }

  listBlocks(job: JobId, from: TaskIndex, limit: number): { first: TaskIndex; count: number }[] {
    const range = this.job(job)?.spec.range;
    return range ? rangeBlocks(range, from, limit) : this.inputBlocks(job, from, limit);
  }

  inputs(job: JobId, first: TaskIndex): PackedColumn | undefined {
    const row = this.#sql.inputs.get(job, first) as { count: number; crc: number; packed: Uint8Array } | undefined;
    if (row === undefined) return undefined;
    if (row.crc !== digest([job, first, row.count], row.packed))
      throw damaged(`the inputs of block ${first} of job ${job}`);
    return row.packed;
  }

  segments(job: JobId, query: SegmentQuery, maxBytes: number): StoredSegment[] {
    const found: StoredSegment[] = [];
    const from = segmentRow(job, query.after);
    const to = segmentRow(job + 1, 0);
    const bounds: SQLInputValue[] = query.block === undefined ? [from, to] : [job, query.block, from, to];
    const statement = query.block === undefined ? this.#sql.segments : this.#sql.segmentsOfBlock;
    let bytes = 0;
    for (const row of statement.iterate(...bounds) as Iterable<unknown> as Iterable<SegmentRow>) {
      const stored = toSegment(row);
      bytes += stored.column.length;
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(stored);
    }
    return found;
  }

  batches(job: JobId, { after, step, limit }: BatchQuery, maxBytes: number): StoredBatch[] {
    const found: StoredBatch[] = [];
    let left = maxBytes;
    for (let seq = after + 1; found.length < limit && left > 0; seq += step) {
      const row = this.#sql.segment.get(segmentRow(job, seq));
      if (row === undefined) break;
      const { segment, column } = toSegment(row as unknown as SegmentRow);
      found.push({ segment, bytes: column.length });
      left -= column.length;
    }
    return found;
  }

  attempts(job: JobId, { after, limit }: { after: number; limit: number }) {
    const rows = this.#sql.attemptsOfJob.all(job, after, limit) as unknown as (TaskRow & { id: number })[];
    return rows.map((row) => ({ cursor: row.id, attempt: ofTask<AttemptRecord>(row, 'an attempt') }));
  }

  /** Those in which tasks failed, one by one. */
  *failedSegments(job: JobId, generation: number): Generator<StoredSegment> {
    const rows = this.#sql.failedSegments.iterate(job, generation) as Iterable<unknown> as Iterable<SegmentRow>;
    for (const row of rows) yield toSegment(row);
  }

  task(job: JobId, index: TaskIndex): TaskHistory {
    const attempts = (this.#sql.attempts.all(job, index) as unknown as TaskRow[]).map((row) => {
      return ofTask<AttemptRecord>(row, 'an attempt');
    });
    const segment = this.#lastSegment(job, index);
    return segment === undefined ? { attempts } : { segment, attempts };
  }

  logs(job: JobId, query: { index?: TaskIndex; after: number; limit: number }): { cursor: number; log: LogRecord }[] {
    const { index, after, limit } = query;
    const rows =
      index === undefined ? this.#sql.logs.all(job, after, limit) : this.#sql.logsOfTask.all(job, index, after, limit);
    return (rows as unknown as (TaskRow & { id: number })[]).map((row) => ({
      cursor: row.id,
      log: ofTask<LogRecord>(row, 'a log line'),
    }));
  }

  tokens(): TokenRecord[] {
    return (this.#sql.tokens.all() as { id: string; record: string; crc: number }[]).map(({ id, record, crc }) => {
      if (crc !== digest([id, record])) throw damaged(`the token ${id}`);
      return JSON.parse(record) as TokenRecord;
    });
  }

  idempotent(owner: string, key: string): { job: JobId; digest: string } | undefined {
    const row = this.#sql.idempotent.get(owner, key) as { job: JobId; digest: string; crc: number } | undefined;
    if (row === undefined) return undefined;
    const { job, digest: meaning, crc } = row;
    if (crc !== digest([owner, key, meaning, job])) throw damaged(`the idempotency key '${key}'`);
    return { job, digest: meaning };
  }

  unreferenced(sha256: readonly string[]): string[] {
    return sha256.filter((name) => {
      if (this.#sql.referenced.get(name) !== undefined) return false;
      this.#checkAround(name);
      return true;
    });
  }

  /**
   * What nobody refers to will be deleted. A reference whose name was damaged still lies where it was, or it was passed
   * over because of a damaged one: either way the damaged row is next to the place where the name is missed.
   */
  #checkAround(name: string): void {
    for (const side of [this.#sql.referenceBefore, this.#sql.referenceAfter]) {
      const row = side.get(name) as { sha256: string; job: JobId; crc: number } | undefined;
      if (row !== undefined && row.crc !== digest([row.sha256, row.job]))
        throw damaged(`a reference of job ${row.job}`);
    }
  }

  /** Blocks do not overlap, so the last one that starts at or before the task is the one that holds it. */
  #lastSegment(job: JobId, index: TaskIndex): StoredSegment | undefined {
    const found = this.#sql.blockOf.get(job, index) as { block: number } | undefined;
    if (found === undefined) return undefined;
    const rows = this.#sql.newestOfBlock.iterate(job, found.block) as Iterable<unknown> as Iterable<SegmentRow>;
    for (const row of rows) {
      const stored = toSegment(row);
      const { runs } = stored.segment;
      if (runs.some((run) => index >= run.start && index < run.start + run.count)) return stored;
    }
    return undefined;
  }
}

interface JobRow {
  id: JobId;
  spec: string;
  crc: number;
  state: string;
  record: string;
  progress_crc: number;
  claimed_to: number;
  claimed_crc: number;
}

function toJob(row: JobRow): Job {
  const { id, spec, state, record, claimed_to: claimedTo } = row;
  const whole =
    row.crc === digest([id, spec]) &&
    row.progress_crc === digest([id, state, record]) &&
    row.claimed_crc === digest([id, claimedTo]);
  if (!whole) throw damaged(`job ${id}`);
  return { id, spec: JSON.parse(spec), progress: JSON.parse(record), claimedTo };
}

interface BlockRow extends Omit<BlockRecord, 'ended' | 'exceptions'> {
  ended: Uint8Array | null;
  exceptions: string | null;
  crc: number;
}

function toBlock(row: BlockRow): BlockRecord {
  const { job, first, count, generation, epoch, ended, crc } = row;
  if (crc !== digest([job, first, count, generation, epoch, row.exceptions], ended)) {
    throw damaged(`the state of block ${first} of job ${job}`);
  }
  const exceptions = row.exceptions === null ? [] : JSON.parse(row.exceptions);
  const block = { job, first, count, generation, exceptions, epoch };
  return ended === null ? block : { ...block, ended };
}

interface SegmentRow {
  job: JobId;
  seq: number;
  block: TaskIndex;
  generation: number;
  failed: number;
  crc: number;
  record: string;
  packed: Uint8Array;
}

function toSegment({ job, seq, block, generation, failed, crc, record, packed }: SegmentRow): StoredSegment {
  if (crc !== digest([job, seq, block, generation, failed, record], packed)) {
    throw damaged(`segment ${seq} of job ${job}`);
  }
  return { segment: JSON.parse(record) as SegmentRecord, column: packed };
}

/** A record that belongs to one task. */
interface TaskRow {
  job: JobId;
  task: TaskIndex;
  record: string;
  crc: number;
}

function ofTask<Found>({ job, task, record, crc }: TaskRow, what: string): Found {
  if (crc !== digest([job, task, record])) throw damaged(`${what} of task ${task} of job ${job}`);
  return JSON.parse(record) as Found;
}

type Statements = ReturnType<typeof prepare>;

function prepare(db: DatabaseSync) {
  const job = `SELECT jobs.id, spec, jobs.crc, state, record, progress.crc AS progress_crc, claimed_to, claimed_crc
    FROM progress JOIN jobs ON jobs.id = progress.job`;
  const segment = 'SELECT job, id & 4294967295 AS seq, block, generation, failed, crc, record, packed FROM segments';
  return {
    farm: db.prepare('SELECT name, epoch, next_job AS nextJob, crc FROM farm'),
    job: db.prepare(`${job} WHERE progress.job = ?`),
    openJobs: db.prepare(`${job} WHERE state IN ('active', 'paused') ORDER BY progress.job`),
    listJobs: db.prepare(
      `${job} WHERE progress.job < ? AND (? IS NULL OR state IN (SELECT value FROM json_each(?)))
       ORDER BY progress.job DESC LIMIT ?`,
    ),
    blocks: db.prepare('SELECT * FROM blocks WHERE job = ? ORDER BY first'),
    freeBlocks: db.prepare('SELECT * FROM blocks WHERE job = ? AND epoch = 0 ORDER BY first LIMIT ?'),
    leases: db.prepare('SELECT lease, job, record, crc FROM leases ORDER BY lease'),
    forgetting: db.prepare('SELECT job, crc FROM forgetting ORDER BY job'),
    inputBlocks: db.prepare('SELECT first, count FROM inputs WHERE job = ? AND first >= ? ORDER BY first LIMIT ?'),
    lastInputs: db.prepare('SELECT first, count FROM inputs WHERE job = ? ORDER BY first DESC LIMIT 1'),
    inputs: db.prepare('SELECT count, crc, packed FROM inputs WHERE job = ? AND first = ?'),
    segments: db.prepare(`${segment} WHERE id > ? AND id < ? ORDER BY id`),
    segment: db.prepare(`${segment} WHERE id = ?`),
    segmentsOfBlock: db.prepare(`${segment} WHERE job = ? AND block = ? AND id > ? AND id < ? ORDER BY id`),
    failedSegments: db.prepare(`${segment} WHERE job = ? AND generation = ? AND failed > 0 ORDER BY id`),
    blockOf: db.prepare('SELECT block FROM segments WHERE job = ? AND block <= ? ORDER BY block DESC LIMIT 1'),
    newestOfBlock: db.prepare(`${segment} WHERE job = ? AND block = ? ORDER BY id DESC`),
    attempts: db.prepare('SELECT job, task, record, crc FROM attempts WHERE job = ? AND task = ? ORDER BY id'),
    attemptsOfJob: db.prepare(
      'SELECT id, job, task, record, crc FROM attempts WHERE job = ? AND id > ? ORDER BY id LIMIT ?',
    ),
    logs: db.prepare('SELECT id, job, task, record, crc FROM logs WHERE job = ? AND id > ? ORDER BY id LIMIT ?'),
    logsOfTask: db.prepare(
      'SELECT id, job, task, record, crc FROM logs WHERE job = ? AND task = ? AND id > ? ORDER BY id LIMIT ?',
    ),
    tokens: db.prepare('SELECT id, record, crc FROM tokens ORDER BY id'),
    idempotent: db.prepare('SELECT job, digest, crc FROM idempotency WHERE owner = ? AND key = ?'),
    referenced: db.prepare('SELECT 1 FROM blob_refs WHERE sha256 = ? LIMIT 1'),
    referenceBefore: db.prepare(
      'SELECT sha256, job, crc FROM blob_refs WHERE sha256 < ? ORDER BY sha256 DESC, job DESC LIMIT 1',
    ),
    referenceAfter: db.prepare('SELECT sha256, job, crc FROM blob_refs WHERE sha256 > ? ORDER BY sha256, job LIMIT 1'),
  };
}
