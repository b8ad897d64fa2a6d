CREATE TABLE attempts (
  job bigint NOT NULL,
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  task bigint NOT NULL,
  record text NOT NULL,
  PRIMARY KEY (job, id)
);
CREATE INDEX attempts_task ON public.attempts USING btree (job, task, id);

CREATE TABLE beats (
  epoch bigint NOT NULL,
  facts text NOT NULL,
  alive_until timestamp with time zone NOT NULL,
  steady_since timestamp with time zone NOT NULL,
  PRIMARY KEY (epoch)
) WITH (fillfactor=30, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000);

CREATE TABLE blob_chunks (
  upload bigint NOT NULL,
  at bigint NOT NULL,
  bytes bytea NOT NULL STORAGE EXTERNAL,
  PRIMARY KEY (upload, at)
);

CREATE TABLE blob_refs (
  sha256 text NOT NULL,
  job bigint NOT NULL,
  PRIMARY KEY (sha256, job)
);
CREATE INDEX blob_refs_job ON public.blob_refs USING btree (job);

CREATE TABLE blob_uploads (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  sha256 text NOT NULL,
  kept boolean NOT NULL,
  size bigint NOT NULL,
  used_at timestamp with time zone NOT NULL,
  busy_until timestamp with time zone,
  in_bucket boolean NOT NULL DEFAULT false,
  parts text,
  tags text[] NOT NULL DEFAULT '{}'::text[],
  in_parts bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (id)
) WITH (fillfactor=50);
CREATE UNIQUE INDEX blob_uploads_kept ON public.blob_uploads USING btree (sha256) WHERE kept;

CREATE TABLE blobs (
  sha256 text NOT NULL,
  upload bigint NOT NULL,
  size bigint NOT NULL,
  used_at timestamp with time zone NOT NULL,
  in_bucket boolean NOT NULL DEFAULT false,
  PRIMARY KEY (sha256)
);
CREATE INDEX blobs_used ON public.blobs USING btree (used_at);

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
) WITH (fillfactor=50, autovacuum_vacuum_scale_factor=0.01, autovacuum_vacuum_threshold=2000);
CREATE INDEX blocks_free ON public.blocks USING btree (job, first, part) WHERE (epoch = 0);

CREATE TABLE commits (
  epoch bigint NOT NULL,
  number bigint NOT NULL,
  PRIMARY KEY (epoch, number)
) WITH (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=2000);

CREATE TABLE damaged_blobs (
  upload bigint NOT NULL,
  sha256 text NOT NULL,
  found_at timestamp with time zone NOT NULL,
  in_bucket boolean NOT NULL DEFAULT false,
  PRIMARY KEY (upload)
);

CREATE TABLE farm (
  one boolean NOT NULL DEFAULT true,
  name text NOT NULL,
  version integer NOT NULL,
  epoch bigint NOT NULL,
  token_writes bigint NOT NULL,
  bucket text,
  timeline text NOT NULL DEFAULT ''::text,
  history bigint NOT NULL DEFAULT 0,
  CHECK (one),
  PRIMARY KEY (one)
);

CREATE TABLE forgetting (
  job bigint NOT NULL,
  PRIMARY KEY (job)
);

CREATE TABLE frontiers (
  job bigint NOT NULL,
  claimed_to bigint NOT NULL,
  range_count bigint,
  ended boolean NOT NULL,
  PRIMARY KEY (job)
) WITH (fillfactor=30, autovacuum_vacuum_scale_factor=0.05, autovacuum_vacuum_threshold=1000);
CREATE INDEX frontiers_open ON public.frontiers USING btree (job) WHERE (NOT ended);

CREATE TABLE hunger (
  job bigint NOT NULL,
  epoch bigint NOT NULL,
  at timestamp with time zone NOT NULL,
  PRIMARY KEY (job, epoch)
) WITH (fillfactor=30, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000);

CREATE TABLE idempotency (
  owner text NOT NULL,
  key text NOT NULL,
  job bigint NOT NULL,
  digest text NOT NULL,
  PRIMARY KEY (owner, key)
);
CREATE INDEX idempotency_job ON public.idempotency USING btree (job);

CREATE TABLE inputs (
  job bigint NOT NULL,
  first bigint NOT NULL,
  count integer NOT NULL,
  packed bytea NOT NULL STORAGE EXTERNAL,
  PRIMARY KEY (job, first)
);

CREATE TABLE jobs (
  id bigint NOT NULL,
  spec text NOT NULL,
  PRIMARY KEY (id)
);

CREATE TABLE leases (
  lease bigint NOT NULL,
  job bigint NOT NULL,
  holder bigint NOT NULL,
  record text NOT NULL,
  change bigint NOT NULL,
  PRIMARY KEY (lease)
) WITH (autovacuum_vacuum_scale_factor=0.01, autovacuum_vacuum_threshold=5000);
CREATE INDEX leases_job ON public.leases USING btree (job);

CREATE TABLE logs (
  job bigint NOT NULL,
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  task bigint NOT NULL,
  record text NOT NULL,
  PRIMARY KEY (job, id)
);
CREATE INDEX logs_task ON public.logs USING btree (job, task, id);

CREATE TABLE members (
  epoch bigint NOT NULL,
  since timestamp with time zone NOT NULL,
  over_at timestamp with time zone,
  freed boolean NOT NULL,
  timeline text NOT NULL DEFAULT ''::text,
  PRIMARY KEY (epoch)
);

CREATE TABLE orders (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  epoch bigint NOT NULL,
  text text NOT NULL,
  PRIMARY KEY (id)
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
) WITH (autovacuum_vacuum_scale_factor=0.01, autovacuum_vacuum_threshold=2000);

CREATE TABLE segments (
  job bigint NOT NULL,
  seq bigint NOT NULL,
  block bigint NOT NULL,
  generation bigint NOT NULL,
  failed integer NOT NULL,
  record text NOT NULL,
  packed bytea NOT NULL STORAGE EXTERNAL,
  PRIMARY KEY (job, seq)
);
CREATE INDEX segments_block ON public.segments USING btree (job, block, seq);
CREATE INDEX segments_failed ON public.segments USING btree (job, generation) WHERE (failed > 0);

CREATE TABLE tokens (
  id text NOT NULL,
  record text NOT NULL,
  PRIMARY KEY (id)
);

CREATE OR REPLACE FUNCTION public.manyhands_timeline()
 RETURNS text
 LANGUAGE sql
AS $function$ SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) $function$;

CREATE SEQUENCE job_numbers;
CREATE SEQUENCE part_numbers;
