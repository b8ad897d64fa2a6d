import type { DatabaseSync } from 'node:sqlite';
import type { JobId } from '../../model/ids.ts';
import { FORGET_STEP_BYTES, FORGET_STEP_ROWS } from '../../model/limits.ts';
import { digest } from './digest.ts';

/** Deletes jobs in steps, each inside a transaction that the caller holds. */
export class Forgetter {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: DatabaseSync) {
    this.#sql = prepare(db);
  }

  /** From here on the job is not there any more; its rows are only in the way. */
  begin(job: JobId): void {
    this.#sql.begin.run(job, digest([job]));
    for (const statement of this.#sql.first) statement.run(job);
  }

  /** One step; true: nothing is left, nor was there anything to do. */
  step(job: JobId): boolean {
    for (const { list, remove } of this.#sql.heavy) {
      const rows = list.all(job, FORGET_STEP_ROWS) as { id: bigint; bytes: bigint }[];
      let bytes = 0;
      for (const row of rows) {
        remove.run(row.id);
        bytes += Number(row.bytes);
        if (bytes >= FORGET_STEP_BYTES) break;
      }
      if (rows.length > 0) return false;
    }
    for (const statement of this.#sql.light) {
      if (statement.run(job, FORGET_STEP_ROWS).changes === FORGET_STEP_ROWS) return false;
    }
    this.#sql.done.run(job);
    return true;
  }
}

function prepare(db: DatabaseSync) {
  const heavy = (table: string) => {
    const list = db.prepare(`SELECT id, length(packed) AS bytes FROM ${table} WHERE job = ? LIMIT ?`);
    list.setReadBigInts(true);
    return { list, remove: db.prepare(`DELETE FROM ${table} WHERE id = ?`) };
  };
  const light = (table: string, key: string) =>
    db.prepare(`DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} WHERE job = ? LIMIT ?)`);
  return {
    begin: db.prepare('INSERT INTO forgetting (job, crc) VALUES (?, ?)'),
    first: [
      db.prepare('DELETE FROM progress WHERE job = ?'),
      db.prepare('DELETE FROM jobs WHERE id = ?'),
      db.prepare('DELETE FROM idempotency WHERE job = ?'),
    ],
    heavy: [heavy('segments'), heavy('inputs')],
    light: [
      light('blocks', 'job, first'),
      light('attempts', 'id'),
      light('logs', 'id'),
      light('leases', 'lease'),
      light('blob_refs', 'sha256, job'),
    ],
    done: db.prepare('DELETE FROM forgetting WHERE job = ?'),
  };
}
