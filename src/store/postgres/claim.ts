import type { Epoch, JobId } from '../../model/ids.ts';
import type { BlockRecord } from '../../model/job.ts';
import { BLOCK_TASKS } from '../../model/limits.ts';
import type { ClaimedBlock } from '../store.ts';
import { blockOf } from './block-row.ts';
import type { Connection, Row, Statement } from './connection.ts';
import { type Members, NotCurrent } from './members.ts';
import { FENCE } from './statements.ts';

const sql = {
  /**
   * One statement, and so a transaction of its own. Claims of a job wait for each other at its frontier, which is locked for no
   * longer than this takes; that an end has passed by is seen there too.
   */
  claim: {
    name: 'manyhands_claim',
    text: `
    WITH ${FENCE}, frontier AS MATERIALIZED (
      SELECT claimed_to, range_count FROM frontiers
      WHERE job = $4 AND NOT ended AND EXISTS (SELECT 1 FROM fence) FOR UPDATE
    ), chosen AS MATERIALIZED (
      SELECT first, part FROM blocks
      WHERE job = $4 AND epoch = 0 AND EXISTS (SELECT 1 FROM frontier)
      ORDER BY first, part LIMIT $5 FOR UPDATE SKIP LOCKED
    ), freed AS (
      DELETE FROM blocks USING chosen
      WHERE blocks.job = $4 AND blocks.epoch = 0 AND blocks.first = chosen.first AND blocks.part = chosen.part
      RETURNING blocks.first, blocks.part, count, generation, blocks.ended, exceptions
    ), fresh AS MATERIALIZED (
      SELECT first, 0::bigint AS part, least($6::bigint, range_count - first)::int AS count
      FROM frontier, LATERAL (
        SELECT claimed_to + n * $6::bigint AS first
        FROM generate_series(0, $5 - (SELECT count(*) FROM freed) - 1) AS n) AS firsts
      WHERE first < range_count
      UNION ALL
      (SELECT inputs.first, 0, inputs.count FROM inputs, frontier
      WHERE job = $4 AND inputs.first >= claimed_to AND range_count IS NULL
      ORDER BY inputs.first LIMIT greatest(0, $5 - (SELECT count(*) FROM freed)))
    ), moved AS (
      UPDATE frontiers SET claimed_to = (SELECT max(first + count) FROM fresh)
      WHERE job = $4 AND EXISTS (SELECT 1 FROM fresh)
    ), claimed AS (
      INSERT INTO blocks (job, first, epoch, part, count, generation, ended, exceptions, change)
      SELECT $4, first, $1, part, count, generation, ended, exceptions, $2 FROM freed
      UNION ALL
      SELECT $4, first, $1, part, count, (SELECT generation FROM progress WHERE job = $4 ORDER BY version DESC LIMIT 1), NULL, NULL, $2 FROM fresh
      ON CONFLICT (job, first, epoch, part) DO UPDATE SET count = excluded.count, generation = excluded.generation,
        ended = excluded.ended, exceptions = excluded.exceptions, change = excluded.change
      RETURNING *
    )
    SELECT (SELECT count(*) FROM fence) AS current, claimed.*, packed
    FROM (SELECT 1) AS one LEFT JOIN claimed ON true LEFT JOIN inputs USING (job, first)`,
  },
  again: {
    name: 'manyhands_claimed',
    text: `SELECT blocks.*, packed FROM blocks LEFT JOIN inputs USING (job, first)
      WHERE job = $1 AND epoch = $2 AND change = $3`,
  },
  hungry: {
    name: 'manyhands_hungry',
    text: `INSERT INTO hunger (job, epoch, at) SELECT job, $2, clock_timestamp() FROM frontiers WHERE job = $1 AND NOT ended
      ON CONFLICT (job, epoch) DO UPDATE SET at = excluded.at`,
  },
} satisfies Record<string, Statement>;

/** Blocks of a job for this epoch (D5). That there are none is remembered: others may have too many (D22). */
export async function claim(members: Members, job: JobId, max: number, epoch: Epoch): Promise<ClaimedBlock[]> {
  return await members.attempt(epoch, {
    async act(connection, { acked }, number) {
      const { rows } = await connection.query(sql.claim, [epoch, number, acked, job, max, BLOCK_TASKS]);
      if (rows[0]?.['current'] === 0) throw new NotCurrent();
      const claimed = inOrder(rows.filter((row) => row['first'] !== null));
      if (claimed.length === 0) await connection.query(sql.hungry, [job, epoch]);
      return claimed;
    },
    async found(connection: Connection, number) {
      return inOrder((await connection.query(sql.again, [job, epoch, number])).rows);
    },
  });
}

/** Those that were given back before new ones. */
function inOrder(rows: Row[]): ClaimedBlock[] {
  const claimed = rows.map((row) => {
    const { packed: inputs } = row;
    return { block: blockOf(row), ...(inputs !== null && { inputs }) };
  });
  const isNew = ({ part }: BlockRecord): number => (part === undefined ? 1 : 0);
  return claimed.sort(
    ({ block: a }, { block: b }) => isNew(a) - isNew(b) || a.first - b.first || (a.part ?? 0) - (b.part ?? 0),
  );
}
