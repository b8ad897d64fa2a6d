/**
 * What the store looks at is a column; the rest of a record is its JSON. `crc` covers the other columns (D16). Rows with
 * values live in tables of their own beside the small ones that every commit rewrites.
 */
export const start = `
CREATE TABLE farm (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  name TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  next_job INTEGER NOT NULL,
  crc INTEGER NOT NULL
) STRICT;

CREATE TABLE jobs (
  id INTEGER PRIMARY KEY,
  spec TEXT NOT NULL,
  crc INTEGER NOT NULL
) STRICT;

CREATE TABLE progress (
  job INTEGER PRIMARY KEY,
  state TEXT NOT NULL,
  record TEXT NOT NULL,
  crc INTEGER NOT NULL,
  claimed_to INTEGER NOT NULL,
  claimed_crc INTEGER NOT NULL
) STRICT;
CREATE INDEX progress_open ON progress (job) WHERE state IN ('active', 'paused');

CREATE TABLE inputs (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL,
  first INTEGER NOT NULL,
  count INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  packed BLOB NOT NULL,
  UNIQUE (job, first)
) STRICT;

CREATE TABLE blocks (
  job INTEGER NOT NULL,
  first INTEGER NOT NULL,
  count INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  ended BLOB,
  exceptions TEXT,
  crc INTEGER NOT NULL,
  PRIMARY KEY (job, first)
) STRICT, WITHOUT ROWID;
CREATE INDEX blocks_free ON blocks (job, first) WHERE epoch = 0;

CREATE TABLE leases (
  lease INTEGER PRIMARY KEY,
  job INTEGER NOT NULL,
  record TEXT NOT NULL,
  crc INTEGER NOT NULL
) STRICT;

-- id is job * 2^32 + seq: the segments of a job lie together, in the order in which they are read.
CREATE TABLE segments (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL,
  block INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  record TEXT NOT NULL,
  packed BLOB NOT NULL
) STRICT;
CREATE INDEX segments_of_block ON segments (job, block);
CREATE INDEX segments_failed ON segments (job, generation) WHERE failed > 0;

CREATE TABLE attempts (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL,
  task INTEGER NOT NULL,
  record TEXT NOT NULL,
  crc INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_of_task ON attempts (job, task);

CREATE TABLE logs (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL,
  task INTEGER NOT NULL,
  record TEXT NOT NULL,
  crc INTEGER NOT NULL
) STRICT;
CREATE INDEX logs_of_job ON logs (job);
CREATE INDEX logs_of_task ON logs (job, task);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  record TEXT NOT NULL,
  crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blob_refs (
  sha256 TEXT NOT NULL,
  job INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  PRIMARY KEY (sha256, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_refs_of_job ON blob_refs (job);

CREATE TABLE idempotency (
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  job INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_of_job ON idempotency (job);

CREATE TABLE forgetting (
  job INTEGER PRIMARY KEY,
  crc INTEGER NOT NULL
) STRICT;
`;
