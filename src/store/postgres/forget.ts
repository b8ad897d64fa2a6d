import type { JobId } from '../../model/ids.ts';
import { hasEnded } from '../../model/job.ts';
import { FORGET_STEP_BYTES, FORGET_STEP_ROWS } from '../../model/limits.ts';
import { StoreError } from '../store.ts';
import { type Connection, type Statement, together } from './connection.ts';
import { transaction } from './line.ts';

const statement = (name: string, text: string): Statement => ({ name: `manyhands_forget_${name}`, text });

const sql = {
  lock: statement('lock', `SELECT FROM jobs WHERE id = $1 FOR UPDATE`),
  state: statement('state', `SELECT state FROM progress WHERE job = $1 ORDER BY version DESC LIMIT 1`),
  begin: [
    statement('begin', `INSERT INTO forgetting (job) VALUES ($1)`),
    ...['progress', 'frontiers', 'idempotency', 'leases', 'blocks', 'hunger'].map((table) =>
      statement(table, `DELETE FROM ${table} WHERE job = $1`),
    ),
    statement('jobs', `DELETE FROM jobs WHERE id = $1`),
  ],
  heavy: ['segments', 'inputs'].map((table) => {
    const key = table === 'segments' ? 'seq' : 'first';
    return statement(
      table,
      `DELETE FROM ${table} WHERE job = $1 AND ${key} IN (
         SELECT ${key} FROM (SELECT ${key}, sum(octet_length(packed)) OVER (ORDER BY ${key}) - octet_length(packed) AS before
           FROM (SELECT ${key}, packed FROM ${table} WHERE job = $1 ORDER BY ${key} LIMIT $2) AS few) AS sized
         WHERE before < $3::bigint)`,
    );
  }),
  light: ['attempts', 'logs', 'blob_refs'].map((table) => {
    const key = table === 'blob_refs' ? 'sha256' : 'id';
    return statement(
      table,
      `DELETE FROM ${table} WHERE job = $1 AND ${key} IN (SELECT ${key} FROM ${table} WHERE job = $1 LIMIT $2)`,
    );
  }),
  done: statement('done', `DELETE FROM forgetting WHERE job = $1`),
};

/** One step of deleting an ended job; true: nothing is left (D8). */
export async function forgetStep(connection: Connection, job: JobId): Promise<boolean> {
  const begun = await transaction(connection, async () => {
    const [, { rows }] = await together([connection.query(sql.lock, [job]), connection.query(sql.state, [job])]);
    const state = rows[0]?.['state'];
    if (state === undefined) return { value: false, sent: [] };
    if (!hasEnded(state)) throw new StoreError('conflict', `job ${job} has not ended; cancel it first`);
    return { value: true, sent: sql.begin.map((each) => connection.query(each, [job])) };
  });
  if (begun) return false;
  for (const each of sql.heavy) {
    if ((await connection.query(each, [job, FORGET_STEP_ROWS, FORGET_STEP_BYTES])).count > 0) return false;
  }
  const light = await together(sql.light.map((each) => connection.query(each, [job, FORGET_STEP_ROWS])));
  if (light.some(({ count }) => count === FORGET_STEP_ROWS)) return false;
  await connection.query(sql.done, [job]);
  return true;
}
