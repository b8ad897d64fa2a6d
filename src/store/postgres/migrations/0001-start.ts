/**
 * A row for each noun, records as JSON in their rows. What changes all the time is in narrow rows of its own, and is vacuumed after a
 * few thousand changes and not after a share of the table. What changes with each commit is never updated but replaced by a row with
 * the next number, and read from that end: old versions that cannot be cleared away, since somebody has an old snapshot, are behind it.
 *
 * Each commit that says something of a job locks its row in `jobs`; what claims change is in another row (`frontiers`), so
 * that neither waits for the other. Values are compressed by nobody: they were packed by who made them.
 */
export const start = `
CREATE TABLE farm (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  name text NOT NULL,
  version integer NOT NULL,
  epoch bigint NOT NULL,
  token_writes bigint NOT NULL
);

CREATE SEQUENCE job_numbers;
CREATE SEQUENCE part_numbers;

CREATE TABLE members (
  epoch bigint PRIMARY KEY,
  since timestamptz NOT NULL,
  over_at timestamptz,
  freed boolean NOT NULL
);

CREATE TABLE beats (
  epoch bigint PRIMARY KEY,
  facts text NOT NULL,
  alive_until timestamptz NOT NULL,
  steady_since timestamptz NOT NULL
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE commits (
  epoch bigint NOT NULL,
  number bigint NOT NULL,
  PRIMARY KEY (epoch, number)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE jobs (
  id bigint PRIMARY KEY,
  spec text NOT NULL
);

CREATE TABLE progress (
  job bigint NOT NULL,
  version bigint NOT NULL,
  state text NOT NULL,
  open boolean NOT NULL,
  total bigint NOT NULL,
  done bigint NOT NULL,
  failed bigint NOT NULL,
  cancelled bigint NOT NULL,
  retried bigint NOT NULL,
  lost bigint NOT NULL,
  copied bigint,
  recalled bigint,
  segments bigint NOT NULL,
  generation bigint NOT NULL,
  busy_micros bigint NOT NULL,
  started_at double precision,
  ended_at double precision,
  reason text,
  last_segment bigint NOT NULL,
  inputs_end bigint NOT NULL,
  PRIMARY KEY (job, version)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000);

CREATE TABLE frontiers (
  job bigint PRIMARY KEY,
  claimed_to bigint NOT NULL,
  range_count bigint,
  ended boolean NOT NULL
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
CREATE INDEX frontiers_open ON frontiers (job) WHERE NOT ended;

CREATE TABLE inputs (
  job bigint NOT NULL,
  first bigint NOT NULL,
  count integer NOT NULL,
  packed bytea NOT NULL,
  PRIMARY KEY (job, first)
);
ALTER TABLE inputs ALTER COLUMN packed SET STORAGE EXTERNAL;

CREATE TABLE blocks (
  job bigint NOT NULL,
  first bigint NOT NULL,
  epoch bigint NOT NULL,
  part bigint NOT NULL,
  count integer NOT NULL,
  generation bigint NOT NULL,
  ended bytea,
  exceptions text,
  change bigint NOT NULL,
  PRIMARY KEY (job, first, epoch, part)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000);
CREATE INDEX blocks_free ON blocks (job, first, part) WHERE epoch = 0;

CREATE TABLE leases (
  lease bigint PRIMARY KEY,
  job bigint NOT NULL,
  holder bigint NOT NULL,
  record text NOT NULL,
  change bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
CREATE INDEX leases_job ON leases (job);

CREATE TABLE segments (
  job bigint NOT NULL,
  seq bigint NOT NULL,
  block bigint NOT NULL,
  generation bigint NOT NULL,
  failed integer NOT NULL,
  record text NOT NULL,
  packed bytea NOT NULL,
  PRIMARY KEY (job, seq)
);
ALTER TABLE segments ALTER COLUMN packed SET STORAGE EXTERNAL;
CREATE INDEX segments_block ON segments (job, block, seq);
CREATE INDEX segments_failed ON segments (job, generation) WHERE failed > 0;

CREATE TABLE attempts (
  job bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  task bigint NOT NULL,
  record text NOT NULL,
  PRIMARY KEY (job, id)
);
CREATE INDEX attempts_task ON attempts (job, task, id);

CREATE TABLE logs (
  job bigint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  task bigint NOT NULL,
  record text NOT NULL,
  PRIMARY KEY (job, id)
);
CREATE INDEX logs_task ON logs (job, task, id);

CREATE TABLE tokens (
  id text PRIMARY KEY,
  record text NOT NULL
);

CREATE TABLE idempotency (
  owner text NOT NULL,
  key text NOT NULL,
  job bigint NOT NULL,
  digest text NOT NULL,
  PRIMARY KEY (owner, key)
);
CREATE INDEX idempotency_job ON idempotency (job);

CREATE TABLE blob_refs (
  sha256 text NOT NULL,
  job bigint NOT NULL,
  PRIMARY KEY (sha256, job)
);
CREATE INDEX blob_refs_job ON blob_refs (job);

CREATE TABLE hunger (
  job bigint NOT NULL,
  epoch bigint NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (job, epoch)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  epoch bigint NOT NULL,
  text text NOT NULL
);

CREATE TABLE forgetting (
  job bigint PRIMARY KEY
);

CREATE TABLE blobs (
  sha256 text PRIMARY KEY,
  upload bigint NOT NULL,
  size bigint NOT NULL,
  used_at timestamptz NOT NULL
);
CREATE INDEX blobs_used ON blobs (used_at);

CREATE TABLE damaged_blobs (
  upload bigint PRIMARY KEY,
  sha256 text NOT NULL,
  found_at timestamptz NOT NULL
);

CREATE TABLE blob_uploads (
  id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  sha256 text NOT NULL,
  kept boolean NOT NULL,
  size bigint NOT NULL,
  used_at timestamptz NOT NULL,
  busy_until timestamptz
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX blob_uploads_kept ON blob_uploads (sha256) WHERE kept;

CREATE TABLE blob_chunks (
  upload bigint NOT NULL,
  at bigint NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (upload, at)
);
ALTER TABLE blob_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;
`;
