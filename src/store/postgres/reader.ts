import type { PackedColumn } from '../../model/envelope.ts';
import type { JobId, TaskIndex } from '../../model/ids.ts';
import type { Job, JobSpec, JobState } from '../../model/job.ts';
import type { AttemptRecord, LogRecord, SegmentRecord, TokenRecord } from '../../model/records.ts';
import { rangeBlocks } from '../reopen.ts';
import type { BatchQuery, SegmentQuery, StoredBatch, StoredSegment, TaskHistory } from '../store.ts';
import { lines } from './arrays.ts';
import { idempotencyOf } from './commit.ts';
import type { Connection, Row, Statement } from './connection.ts';
import { newestProgress, progressOf } from './progress-row.ts';

const JOBS = `SELECT progress.*, spec, claimed_to FROM jobs JOIN frontiers ON frontiers.job = id, ${newestProgress('id')}`;
/** Rows so far, and how many bytes come before each: of those that begin within the bytes asked for. */
const WITHIN = 'sum(octet_length(packed)) OVER (ORDER BY seq)';

const statement = (name: string, text: string): Statement => ({ name: `manyhands_read_${name}`, text });

const sql = {
  job: statement('job', `${JOBS} WHERE id = $1`),
  openJobs: statement('open_jobs', `${JOBS} WHERE NOT ended ORDER BY id`),
  jobs: statement(
    'jobs',
    `${JOBS} WHERE id < $1 AND ($2::text[] IS NULL OR state = ANY ($2)) ORDER BY id DESC LIMIT $3`,
  ),
  forgetting: statement('forgetting', 'SELECT job FROM forgetting ORDER BY job'),
  range: statement('range', 'SELECT spec FROM jobs WHERE id = $1'),
  blocks: statement('blocks', 'SELECT first, count FROM inputs WHERE job = $1 AND first >= $2 ORDER BY first LIMIT $3'),
  inputs: statement('inputs', 'SELECT packed FROM inputs WHERE job = $1 AND first = $2'),
  segments: statement(
    'segments',
    `SELECT record, packed FROM (
       SELECT seq, record, packed, ${WITHIN} AS upto, row_number() OVER (ORDER BY seq) AS n FROM (
         SELECT seq, record, packed FROM segments WHERE job = $1 AND seq > $2 ORDER BY seq LIMIT $4) AS few) AS sized
     WHERE upto <= $3::bigint OR n = 1 ORDER BY seq`,
  ),
  segmentsOfBlock: statement(
    'segments_of_block',
    `SELECT record, packed FROM (
       SELECT seq, record, packed, ${WITHIN} AS upto, row_number() OVER (ORDER BY seq) AS n FROM (
         SELECT seq, record, packed FROM segments WHERE job = $1 AND seq > $2 AND block = $5
         ORDER BY seq LIMIT $4) AS few) AS sized
     WHERE upto <= $3::bigint OR n = 1 ORDER BY seq`,
  ),
  batches: statement(
    'batches',
    `SELECT record, bytes FROM (
       SELECT seq, record, octet_length(packed) AS bytes, ${WITHIN} - octet_length(packed) AS before
       FROM generate_series($2::bigint + 1, $2::bigint + 1 + ($4::bigint - 1) * $3::bigint, $3::bigint) AS wanted
       JOIN segments ON job = $1 AND seq = wanted) AS sized
     WHERE before < $5::bigint ORDER BY seq`,
  ),
  attemptsOfJob: statement(
    'attempts_of_job',
    'SELECT id, record FROM attempts WHERE job = $1 AND id > $2 ORDER BY id LIMIT $3',
  ),
  attempts: statement('attempts', 'SELECT record FROM attempts WHERE job = $1 AND task = $2 ORDER BY id'),
  recordsOfBlock: statement(
    'records_of_block',
    `SELECT seq, record FROM segments WHERE job = $1 AND block =
       (SELECT block FROM segments WHERE job = $1 AND block <= $2 ORDER BY block DESC LIMIT 1) ORDER BY seq DESC`,
  ),
  packed: statement('packed', 'SELECT packed FROM segments WHERE job = $1 AND seq = $2'),
  logs: statement('logs', 'SELECT id, record FROM logs WHERE job = $1 AND id > $2 ORDER BY id LIMIT $3'),
  logsOfTask: statement(
    'logs_of_task',
    'SELECT id, record FROM logs WHERE job = $1 AND task = $4 AND id > $2 ORDER BY id LIMIT $3',
  ),
  tokens: statement('tokens', 'SELECT record FROM tokens'),
  idempotent: statement('idempotent', 'SELECT * FROM idempotency WHERE owner = $1 AND key = $2'),
  referenced: statement(
    'referenced',
    `SELECT DISTINCT sha256 FROM blob_refs WHERE sha256 = ANY (string_to_array($1::text, E'\\n'))`,
  ),
} as const;

/** Segments that are looked at for one answer: they are sized before they are read. */
const SEGMENTS_AT_ONCE = 512;

/** What is stored, as records. */
export const read = {
  async job(connection: Connection, id: JobId): Promise<Job | undefined> {
    const { rows } = await connection.query(sql.job, [id]);
    return rows[0] && jobOf(rows[0]);
  },

  async openJobs(connection: Connection): Promise<Job[]> {
    return (await connection.query(sql.openJobs, [])).rows.map(jobOf);
  },

  async listJobs(connection: Connection, query: { before?: JobId; limit: number; states?: readonly JobState[] }) {
    const { before = Number.MAX_SAFE_INTEGER, limit, states } = query;
    return (await connection.query(sql.jobs, [before, states ?? null, limit])).rows.map(jobOf);
  },

  async forgetting(connection: Connection): Promise<JobId[]> {
    return (await connection.query(sql.forgetting, [])).rows.map(({ job }) => job);
  },

  async inputs(connection: Connection, job: JobId, first: TaskIndex): Promise<PackedColumn | undefined> {
    return (await connection.query(sql.inputs, [job, first])).rows[0]?.['packed'];
  },

  async listBlocks(connection: Connection, job: JobId, from: TaskIndex, limit: number) {
    const { rows } = await connection.query(sql.range, [job]);
    const { range } = (rows[0] === undefined ? {} : JSON.parse(rows[0]['spec'])) as Partial<JobSpec>;
    if (range !== undefined) return rangeBlocks(range, from, limit);
    return (await connection.query(sql.blocks, [job, from, limit])).rows as { first: TaskIndex; count: number }[];
  },

  async segments(connection: Connection, job: JobId, query: SegmentQuery, maxBytes: number): Promise<StoredSegment[]> {
    const values = [job, query.after, Math.floor(maxBytes), SEGMENTS_AT_ONCE];
    const { rows } =
      query.block === undefined
        ? await connection.query(sql.segments, values)
        : await connection.query(sql.segmentsOfBlock, [...values, query.block]);
    return rows.map(({ record, packed }) => ({ segment: JSON.parse(record), column: packed }));
  },

  async batches(connection: Connection, job: JobId, query: BatchQuery, maxBytes: number): Promise<StoredBatch[]> {
    const { after, step, limit } = query;
    const { rows } = await connection.query(sql.batches, [job, after, step, limit, Math.floor(maxBytes)]);
    return rows.map(({ record, bytes }) => ({ segment: JSON.parse(record), bytes }));
  },

  async attempts(connection: Connection, job: JobId, { after, limit }: { after: number; limit: number }) {
    const { rows } = await connection.query(sql.attemptsOfJob, [job, after, limit]);
    return rows.map(({ id, record }) => ({ cursor: id as number, attempt: JSON.parse(record) as AttemptRecord }));
  },

  async task(connection: Connection, job: JobId, index: TaskIndex): Promise<TaskHistory> {
    const { rows } = await connection.query(sql.attempts, [job, index]);
    const attempts = rows.map(({ record }) => JSON.parse(record) as AttemptRecord);
    const segment = await lastSegment(connection, job, index);
    return segment === undefined ? { attempts } : { segment, attempts };
  },

  async logs(connection: Connection, job: JobId, query: { index?: TaskIndex; after: number; limit: number }) {
    const { index, after, limit } = query;
    const { rows } =
      index === undefined
        ? await connection.query(sql.logs, [job, after, limit])
        : await connection.query(sql.logsOfTask, [job, after, limit, index]);
    return rows.map(({ id, record }) => ({ cursor: id as number, log: JSON.parse(record) as LogRecord }));
  },

  async tokens(connection: Connection): Promise<TokenRecord[]> {
    const { rows } = await connection.query(sql.tokens, []);
    return rows.map(({ record }) => JSON.parse(record) as TokenRecord).sort((a, b) => (a.id < b.id ? -1 : 1));
  },

  async idempotent(connection: Connection, owner: string, key: string) {
    const { rows } = await connection.query(sql.idempotent, [JSON.stringify(owner), JSON.stringify(key)]);
    if (rows[0] === undefined) return undefined;
    const { job, digest } = idempotencyOf(rows[0]);
    return { job, digest };
  },

  async unreferenced(connection: Connection, sha256: readonly string[]): Promise<string[]> {
    if (sha256.length === 0) return [];
    const { rows } = await connection.query(sql.referenced, [lines(sha256)]);
    const found = new Set(rows.map((row) => row['sha256']));
    return sha256.filter((name) => !found.has(name));
  },
};

function jobOf(row: Row): Job {
  return { id: row['job'], spec: JSON.parse(row['spec']), progress: progressOf(row), claimedTo: row['claimed_to'] };
}

/** Blocks do not overlap, so the last one that starts at or before the task is the one that holds it. */
async function lastSegment(connection: Connection, job: JobId, index: TaskIndex): Promise<StoredSegment | undefined> {
  const { rows } = await connection.query(sql.recordsOfBlock, [job, index]);
  for (const { record } of rows) {
    const segment = JSON.parse(record) as SegmentRecord;
    if (!segment.runs.some((run) => index >= run.start && index < run.start + run.count)) continue;
    const found = await connection.query(sql.packed, [job, segment.seq]);
    return found.rows[0] && { segment, column: found.rows[0]['packed'] };
  }
  return undefined;
}
