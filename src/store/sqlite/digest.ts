import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { StoreError } from '../store.ts';

/** What SQLite gives for a column, in arrays. */
type Column = string | number | null;

/** Covers texts and numbers of a row, in their order, and its bytes (D16). Of a row that has no bytes it is another one. */
export function digest(columns: readonly Column[], bytes: Uint8Array | null = null): number {
  const crc = crc32(columns.join('\n'));
  if (bytes === null) return crc;
  // Damage may turn bytes into a number or a text.
  return bytes instanceof Uint8Array ? crc32(bytes, crc) ^ 1 : Number.NaN;
}

/** What the digests of a table cover, as the writer makes them: the columns of each, and the bytes last. */
const guards: readonly { table: string; columns: string; bytes?: string; crc?: string }[] = [
  { table: 'farm', columns: 'name, epoch, next_job' },
  { table: 'jobs', columns: 'id, spec' },
  { table: 'progress', columns: 'job, state, record' },
  { table: 'progress', columns: 'job, claimed_to', crc: 'claimed_crc' },
  { table: 'inputs', columns: 'job, first, count', bytes: 'packed' },
  { table: 'blocks', columns: 'job, first, count, generation, epoch, exceptions', bytes: 'ended' },
  { table: 'leases', columns: 'lease, job, record' },
  {
    table: 'segments',
    columns: 'job, id & 4294967295, block, generation, failed, record',
    bytes: 'packed',
  },
  { table: 'attempts', columns: 'job, task, record' },
  { table: 'logs', columns: 'job, task, record' },
  { table: 'tokens', columns: 'id, record' },
  { table: 'blob_refs', columns: 'sha256, job' },
  { table: 'idempotency', columns: 'owner, key, digest, job' },
  { table: 'forgetting', columns: 'job' },
];

/** Reads every row, and throws at the first that is not what was written. */
export function checkRows(db: DatabaseSync): void {
  for (const { table, columns, bytes, crc = 'crc' } of guards) {
    const statement = db.prepare(`SELECT ${crc}, ${bytes ?? 'NULL'}, ${columns} FROM ${table}`);
    statement.setReturnArrays(true);
    for (const row of statement.iterate() as Iterable<unknown> as Iterable<[number, Uint8Array | null, ...Column[]]>) {
      const [written, packed, ...rest] = row;
      if (digest(rest, packed) !== written)
        throw damaged(`a row of the table ${table} (${rest.slice(0, 3).join(', ')})`);
    }
  }
}

export function damaged(what: string): StoreError {
  return new StoreError('damaged', `${what} is not what was written; restore the data from a backup`);
}
