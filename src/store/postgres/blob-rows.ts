import { BLOB_ROW_BYTES, BLOB_ROWS_AT_ONCE, BLOB_UPLOAD_PATIENCE } from '../../model/server-limits.ts';
import { BlobError } from '../blobs.ts';
import { StoreError } from '../store.ts';
import type { Rows, Statement } from './connection.ts';
import type { Line } from './line.ts';

const statement = (name: string, text: string): Statement => ({ name: `manyhands_blob_${name}`, text });

const BUSY = `clock_timestamp() + interval '${BLOB_UPLOAD_PATIENCE} milliseconds'`;

const UPLOAD = 'id, sha256, size, in_bucket, parts, tags, in_parts';

/** An upload as its row says; what goes on with it keeps that up to date. */
export interface Upload {
  readonly id: number;
  readonly sha256: string;
  /** Bytes that are kept. */
  readonly size: number;
  readonly in_bucket: boolean;
  /** How the bucket names it, once something is there. */
  parts: string | null;
  /** How the bucket names its parts. */
  readonly tags: string[];
  /** Bytes that are in parts; what is kept beyond these is in rows. */
  in_parts: number;
}

const sql = {
  size: statement(
    'size',
    `SELECT upload, size, in_bucket, floor(extract(epoch FROM clock_timestamp() - used_at) * 1000)::bigint AS age
     FROM blobs WHERE sha256 = $1`,
  ),
  renew: statement('renew', `UPDATE blobs SET used_at = clock_timestamp() WHERE sha256 = $1`),
  begin: statement(
    'begin',
    `INSERT INTO blob_uploads (sha256, in_bucket, kept, size, used_at, busy_until)
     VALUES ($1, $2, false, 0, clock_timestamp(), ${BUSY}) RETURNING ${UPLOAD}`,
  ),
  /** Written again after a lost answer, it is the same. */
  chunk: statement(
    'chunk',
    `WITH upload AS (
       UPDATE blob_uploads SET size = $2::bigint + octet_length($3::bytea), used_at = clock_timestamp(), busy_until = ${BUSY}
       WHERE id = $1 RETURNING id
     ), written AS (
       INSERT INTO blob_chunks (upload, at, bytes) SELECT id, $2, $3 FROM upload ON CONFLICT DO NOTHING
     )
     SELECT id FROM upload`,
  ),
  parts: statement(
    'parts',
    `UPDATE blob_uploads SET parts = $2, busy_until = ${BUSY} WHERE id = $1 AND parts IS NULL RETURNING id`,
  ),
  /** Another part is in the bucket: what was in rows of it goes. Written again after a lost answer, it is the same. */
  part: statement(
    'part',
    `WITH upload AS (
       UPDATE blob_uploads SET tags[$2::int] = $3, in_parts = $4::bigint, size = greatest(size, $4), used_at = clock_timestamp(), busy_until = ${BUSY}
       WHERE id = $1 AND in_parts IN ($4, $5::bigint) RETURNING id
     ), gone AS (
       DELETE FROM blob_chunks WHERE upload IN (SELECT id FROM upload) AND at < $4
     )
     SELECT id FROM upload`,
  ),
  stay: statement(
    'stay',
    `UPDATE blob_uploads SET used_at = clock_timestamp(), busy_until = ${BUSY} WHERE id = $1 RETURNING id`,
  ),
  isPart: statement('is_part', `SELECT FROM blob_uploads WHERE parts = $1`),
  /** The first whole one stays, so that whoever reads it can go on. */
  finish: statement(
    'finish',
    `WITH blob AS (
       INSERT INTO blobs (sha256, upload, size, in_bucket, used_at) VALUES ($2, $1, $3, $4, clock_timestamp())
       ON CONFLICT (sha256) DO UPDATE SET used_at = excluded.used_at RETURNING upload
     )
     DELETE FROM blob_uploads WHERE id = $1 AND id IN (SELECT upload FROM blob)`,
  ),
  kept: statement('kept', `SELECT ${UPLOAD} FROM blob_uploads WHERE sha256 = $1 AND kept`),
  drop: statement('drop', `DELETE FROM blob_uploads WHERE id = $1`),
  keep: statement('keep', `UPDATE blob_uploads SET kept = true, busy_until = NULL WHERE id = $1`),
  unkeep: statement('unkeep', `UPDATE blob_uploads SET kept = false WHERE id = $1`),
  take: statement(
    'take',
    `UPDATE blob_uploads SET busy_until = ${BUSY} WHERE sha256 = $1 AND kept AND size = $2
       AND (busy_until IS NULL OR busy_until < clock_timestamp()) RETURNING ${UPLOAD}`,
  ),
  release: statement('release', `UPDATE blob_uploads SET busy_until = NULL WHERE id = $1`),
  dropChunks: statement(
    'drop_chunks',
    `DELETE FROM blob_chunks WHERE upload = $1 AND at IN (SELECT at FROM blob_chunks WHERE upload = $1 LIMIT 32)`,
  ),
  chunks: statement(
    'chunks',
    `SELECT at, bytes FROM blob_chunks WHERE upload = $1 AND at >= $2 ORDER BY at LIMIT ${BLOB_ROWS_AT_ONCE}`,
  ),
  chunkAt: statement('chunk_at', `SELECT max(at) AS at FROM blob_chunks WHERE upload = $1 AND at <= $2`),
  names: statement('names', `SELECT sha256 FROM blobs WHERE sha256 > $1 ORDER BY sha256 LIMIT 1000`),
  old: statement(
    'old',
    `SELECT sha256 FROM blobs WHERE used_at < to_timestamp($1::float8 / 1000) ORDER BY used_at, sha256`,
  ),
  oldUploads: statement(
    'old_uploads',
    `SELECT ${UPLOAD} FROM blob_uploads WHERE used_at < to_timestamp($1::float8 / 1000)
       AND (busy_until IS NULL OR busy_until < clock_timestamp())`,
  ),
  /** Its rows go in steps: until then it is an upload that nobody goes on with. */
  delete: statement(
    'delete',
    `WITH blob AS (
       DELETE FROM blobs WHERE sha256 = $1 AND ($2::float8 IS NULL OR used_at < to_timestamp($2::float8 / 1000)) RETURNING *
     )
     INSERT INTO blob_uploads (id, sha256, in_bucket, kept, size, used_at) OVERRIDING SYSTEM VALUE
     SELECT upload, sha256, in_bucket, false, size, used_at FROM blob RETURNING ${UPLOAD}`,
  ),
  setAside: statement(
    'set_aside',
    `WITH blob AS (DELETE FROM blobs WHERE sha256 = $1 AND upload = $2 RETURNING *)
     INSERT INTO damaged_blobs (upload, sha256, in_bucket, found_at)
     SELECT upload, sha256, in_bucket, clock_timestamp() FROM blob`,
  ),
} as const;

/** The statements of blobs. */
export class BlobRows {
  readonly #line: Line;

  constructor(line: Line) {
    this.#line = line;
  }

  async ask(what: keyof typeof sql, values: readonly unknown[]): Promise<Rows> {
    try {
      return await this.#line.run((connection) => connection.query(sql[what], values));
    } catch (error) {
      if (error instanceof StoreError && error.code === 'full') {
        throw new BlobError('full', 'no room for the database', { cause: error });
      }
      throw error;
    }
  }

  async upload(what: 'begin' | 'kept' | 'take' | 'delete', values: readonly unknown[]): Promise<Upload | undefined> {
    return (await this.ask(what, values)).rows[0] as Upload | undefined;
  }

  /** A change of an upload, which somebody else may have given up meanwhile. */
  async change(what: 'chunk' | 'parts' | 'part' | 'stay', values: readonly unknown[]): Promise<void> {
    if ((await this.ask(what, values)).count > 0) return;
    throw new BlobError('offset', 'the upload was given up meanwhile: begin it again');
  }

  /** Its bytes and then itself: what is left of it after a crash is found by its row. */
  async drop(upload: number): Promise<void> {
    while ((await this.ask('dropChunks', [upload])).count > 0);
    await this.ask('drop', [upload]);
  }

  append(upload: number, at: number, bytes: Uint8Array): Promise<void> {
    return this.change('chunk', [upload, at, bytes]);
  }

  async *read(upload: number, start: number, end: number): AsyncGenerator<Uint8Array> {
    if (start >= end) return;
    let at: number = (await this.ask('chunkAt', [upload, start])).rows[0]?.['at'] ?? 0;
    while (at < end) {
      const { rows } = await this.ask('chunks', [upload, at]);
      if (rows.length === 0) return;
      for (const row of rows as { at: number; bytes: Uint8Array }[]) {
        // A gap: what is behind it is not what should be here.
        if (row.at !== at) return;
        const part = row.bytes.subarray(Math.max(0, start - at), Math.max(0, end - at));
        at += row.bytes.length;
        if (part.length > 0) yield part;
        if (at >= end) return;
      }
    }
  }
}

/** Pieces as large as a row, whatever they come in; a stream that breaks off leaves what came before as a last one. */
export async function* inRows(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, unknown> {
  let parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of bytes) {
      for (let at = 0; at < piece.length; ) {
        // Copied: a piece is lent until the next one is asked for.
        const part = Uint8Array.from(piece.subarray(at, at + BLOB_ROW_BYTES - length));
        parts.push(part);
        length += part.length;
        at += part.length;
        if (length < BLOB_ROW_BYTES) continue;
        yield Buffer.concat(parts);
        parts = [];
        length = 0;
      }
    }
  } catch (error) {
    if (length > 0) yield Buffer.concat(parts);
    return error;
  }
  if (length > 0) yield Buffer.concat(parts);
  return undefined;
}
