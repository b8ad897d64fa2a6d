/**
 * The name of the history that the database writes now: a standby that is promoted begins another one. Where a database does
 * not tell, all is one history.
 */
export const timeline = `
DO $do$ BEGIN
  PERFORM pg_walfile_name(pg_current_wal_lsn());
  CREATE FUNCTION manyhands_timeline() RETURNS text LANGUAGE sql VOLATILE
    AS $$ SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) $$;
EXCEPTION WHEN OTHERS THEN
  CREATE FUNCTION manyhands_timeline() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT '' $$;
END $do$;

ALTER TABLE farm
  ADD COLUMN timeline text NOT NULL DEFAULT '',
  ADD COLUMN history bigint NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN timeline text NOT NULL DEFAULT '';
UPDATE farm SET timeline = manyhands_timeline();
UPDATE members SET timeline = manyhands_timeline();
`;
