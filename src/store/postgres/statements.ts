import type { Statement } from './connection.ts';
import { newestProgress, PROGRESS_COLUMNS, unnestedProgress } from './progress-row.ts';

// Rows that are deleted by names in a list are looked up one by one. As a join PostgreSQL may well read the whole index: it believes that
// there are a few rows, and knows nothing of their old versions (D27).
const named = (name: string, text: string): Statement => ({ name: `manyhands_${name}`, text });

const line = (at: number): string => `string_to_array($${at}::text, E'\\n', '')`;
const whole = (at: number): string => `$${at}::bigint[]`;

/**
 * The beginning of each change of epoch $1: its row is locked, so that nobody ends it meanwhile, and change $2 takes the place of $3, the
 * last one. Only one of all tries finds that: what became of the others is known by their numbers. Nothing is updated (see `progress`).
 */
export const FENCE = `member AS MATERIALIZED (
    SELECT FROM members WHERE epoch = $1 AND over_at IS NULL AND timeline = manyhands_timeline() FOR SHARE
  ), last AS (
    DELETE FROM commits WHERE epoch = $1 AND number = $3 AND EXISTS (SELECT FROM member) RETURNING epoch
  ), fence AS (
    INSERT INTO commits (epoch, number) SELECT epoch, $2 FROM last RETURNING epoch
  )`;

/** What a commit says: each at most once, whatever the group is. */
export const commitStatements = {
  fence: named('fence', `WITH ${FENCE} SELECT FROM fence`),
  member: named(
    'member',
    `SELECT (SELECT number FROM commits WHERE commits.epoch = members.epoch ORDER BY number DESC LIMIT 1) AS last_commit,
       over_at IS NOT NULL AS over, timeline = manyhands_timeline() AS current
     FROM members WHERE epoch = $1`,
  ),
  /** Whoever says something of jobs locks these rows, which never change, and then reads what is newest. */
  lock: named('lock', `SELECT FROM jobs WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE`),
  held: named(
    'held',
    `SELECT progress.*, claimed_to FROM frontiers, ${newestProgress('frontiers.job')}
     WHERE frontiers.job = ANY ($1::bigint[])`,
  ),
  beingForgotten: named('being_forgotten', `SELECT job FROM forgetting WHERE job = ANY ($1::bigint[])`),
  idempotent: named(
    'idempotent',
    `SELECT owner, key, job, digest FROM idempotency
     WHERE (owner, key) IN (SELECT * FROM unnest(${line(1)}, ${line(2)}))`,
  ),
  storedInputs: named('stored_inputs', `SELECT count, packed FROM inputs WHERE job = $1 AND first = $2`),
  jobs: named('add_jobs', `INSERT INTO jobs (id, spec) SELECT * FROM unnest(${whole(1)}, ${line(2)})`),
  frontiers: named(
    'add_frontiers',
    `INSERT INTO frontiers (job, claimed_to, range_count, ended)
     SELECT job, 0, range_count, ended FROM unnest(${whole(1)}, ${whole(2)}, $3::boolean[]) AS t (job, range_count, ended)`,
  ),
  newProgress: named(
    'add_progress',
    `INSERT INTO progress (job, version, last_segment, inputs_end, ${PROGRESS_COLUMNS})
     SELECT * FROM unnest(${whole(1)}, ${whole(2)}, ${whole(3)}, ${whole(4)}, ${unnestedProgress(5)})`,
  ),
  /** A version takes the place of the one before. Never an update: its old versions would all be walked to get to the newest one. */
  progress: named(
    'progress',
    `WITH t AS MATERIALIZED (
       SELECT * FROM unnest(${whole(1)}, ${whole(2)}, ${whole(3)}, ${whole(4)}, ${unnestedProgress(5)})
         AS t (job, version, last_segment, inputs_end, ${PROGRESS_COLUMNS})
     ), before AS (
       DELETE FROM progress WHERE ctid = ANY (ARRAY(
         SELECT (SELECT ctid FROM progress WHERE progress.job = t.job AND progress.version = t.version - 1) FROM t))
     )
     INSERT INTO progress (job, version, last_segment, inputs_end, ${PROGRESS_COLUMNS}) SELECT * FROM t`,
  ),
  claimedTo: named(
    'claimed_to',
    `UPDATE frontiers SET claimed_to = t.claimed_to FROM unnest(${whole(1)}, ${whole(2)}) AS t (job, claimed_to)
     WHERE frontiers.job = t.job AND frontiers.claimed_to < t.claimed_to`,
  ),
  ended: named('ended', `UPDATE frontiers SET ended = true WHERE job = ANY ($1::bigint[])`),
  inputs: named(
    'inputs',
    `INSERT INTO inputs (job, first, count, packed)
     SELECT job, first, count, substr($1::bytea, at, length)
     FROM unnest($2::int[], $3::int[], ${whole(4)}, ${whole(5)}, $6::int[]) AS t (at, length, job, first, count)`,
  ),
  blocks: named(
    'blocks',
    `INSERT INTO blocks (job, first, epoch, part, count, generation, ended, exceptions, change)
     SELECT job, first, epoch, coalesce(part, nextval('part_numbers')), count, generation,
       substr($1::bytea, at, length), exceptions, 0
     FROM unnest($2::int[], $3::int[], ${whole(4)}, ${whole(5)}, ${whole(6)}, ${whole(7)}, $8::int[], ${whole(9)}, ${line(10)})
       AS t (at, length, job, first, epoch, part, count, generation, exceptions)
     ON CONFLICT (job, first, epoch, part) DO UPDATE SET count = excluded.count, generation = excluded.generation,
       ended = excluded.ended, exceptions = excluded.exceptions`,
  ),
  blocksEnded: named(
    'blocks_ended',
    `DELETE FROM blocks WHERE ctid = ANY (ARRAY(
       SELECT (SELECT ctid FROM blocks
         WHERE blocks.job = t.job AND blocks.first = t.first AND blocks.epoch = t.epoch AND blocks.part = t.part)
       FROM unnest(${whole(1)}, ${whole(2)}, ${whole(3)}, ${whole(4)}) AS t (job, first, epoch, part)))`,
  ),
  blocksOfJobs: named('blocks_of_jobs', `DELETE FROM blocks WHERE job = ANY ($1::bigint[])`),
  leasesOfJobs: named('leases_of_jobs', `DELETE FROM leases WHERE job = ANY ($1::bigint[])`),
  hungerOfJobs: named('hunger_of_jobs', `DELETE FROM hunger WHERE job = ANY ($1::bigint[])`),
  leases: named(
    'leases',
    `INSERT INTO leases (lease, job, holder, record, change)
     SELECT lease, job, $1, record, 0 FROM unnest(${whole(2)}, ${whole(3)}, ${line(4)}) AS t (lease, job, record)
     ON CONFLICT (lease) DO UPDATE SET job = excluded.job, holder = excluded.holder, record = excluded.record`,
  ),
  /** The holder is one that never lived and is over (D26): its number is below zero. */
  handedOver: named(
    'handed_over',
    `WITH handed AS MATERIALIZED (
       SELECT nextval('part_numbers') AS n, t.*
       FROM unnest($2::int[], $3::int[], ${whole(4)}, ${whole(5)}, ${whole(6)}, $7::int[], ${whole(8)}, ${line(9)})
         AS t (at, length, lease, job, first, count, generation, exceptions)
     ), member AS (
       INSERT INTO members (epoch, since, over_at, freed) SELECT -n, now(), clock_timestamp(), false FROM handed
     ), part AS (
       INSERT INTO blocks (job, first, epoch, part, count, generation, ended, exceptions, change)
       SELECT job, first, -n, n, count, generation, substr($1::bytea, at, length), exceptions, 0 FROM handed
     )
     UPDATE leases SET holder = -n FROM handed WHERE leases.lease = handed.lease`,
  ),
  leasesEnded: named('leases_ended', `DELETE FROM leases WHERE lease = ANY ($1::bigint[])`),
  segments: named(
    'segments',
    `INSERT INTO segments (job, seq, block, generation, failed, record, packed)
     SELECT job, seq, block, generation, failed, record, substr($1::bytea, at, length)
     FROM unnest($2::int[], $3::int[], ${whole(4)}, ${whole(5)}, ${whole(6)}, ${whole(7)}, $8::int[], ${line(9)})
       AS t (at, length, job, seq, block, generation, failed, record)`,
  ),
  attempts: named(
    'attempts',
    `INSERT INTO attempts (job, task, record)
     SELECT job, task, record FROM unnest(${whole(1)}, ${whole(2)}, ${line(3)})
       WITH ORDINALITY AS t (job, task, record, n) ORDER BY n`,
  ),
  logs: named(
    'logs',
    `INSERT INTO logs (job, task, record)
     SELECT job, task, record FROM unnest(${whole(1)}, ${whole(2)}, ${line(3)})
       WITH ORDINALITY AS t (job, task, record, n) ORDER BY n`,
  ),
  tokens: named(
    'tokens',
    `INSERT INTO tokens (id, record) SELECT * FROM unnest(${line(1)}, ${line(2)})
     ON CONFLICT (id) DO UPDATE SET record = excluded.record`,
  ),
  tokenWrites: named('token_writes', `UPDATE farm SET token_writes = token_writes + $1`),
  blobRefs: named(
    'blob_refs',
    `INSERT INTO blob_refs (sha256, job) SELECT * FROM unnest(${line(1)}, ${whole(2)}) ON CONFLICT DO NOTHING`,
  ),
  idempotency: named(
    'idempotency',
    `INSERT INTO idempotency (owner, key, job, digest)
     SELECT * FROM unnest(${line(1)}, ${line(2)}, ${whole(3)}, ${line(4)})`,
  ),
} as const;
