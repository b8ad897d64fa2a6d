import type { Epoch } from '../../model/ids.ts';
import { MEMBER_MEMORY } from '../../model/server-limits.ts';
import type { FarmRecord, Pulse, PulseJob, ServerRecord } from '../store.ts';
import { type Connection, type Row, type Statement, together } from './connection.ts';
import { type Line, transaction } from './line.ts';
import type { Members, SharedTimes } from './members.ts';
import { newestProgress, progressOf } from './progress-row.ts';

/** The row of epoch $1, if it is current and the database is not older than what it acknowledged, the change `acked` (D25). */
const current = (acked: string): string =>
  `FROM members WHERE epoch = $1 AND over_at IS NULL AND timeline = manyhands_timeline()
        AND EXISTS (SELECT FROM commits WHERE commits.epoch = $1 AND number = ${acked})`;

const sql = {
  /** A server whose pulses have come without a gap ends those that were silent for too long. */
  live: {
    name: 'manyhands_pulse',
    text: `
    WITH member AS MATERIALIZED (
      SELECT ${current('$5')} FOR SHARE
    ), me AS (
      UPDATE beats SET alive_until = clock_timestamp() + $2::float8 * interval '1 millisecond', facts = coalesce($3, facts),
        steady_since = CASE WHEN alive_until < clock_timestamp() THEN clock_timestamp() ELSE steady_since END
      WHERE epoch = $1 AND EXISTS (SELECT FROM member)
      RETURNING steady_since + $2::float8 * interval '1 millisecond' <= clock_timestamp() AS steady
    ), others AS (
      UPDATE members SET over_at = clock_timestamp() FROM beats
      WHERE members.epoch <> $1 AND beats.epoch = members.epoch AND over_at IS NULL AND alive_until < clock_timestamp()
        AND (SELECT steady FROM me)
      RETURNING members.epoch
    )
    SELECT (SELECT count(*) FROM me) AS current, (SELECT count(*) FROM others) AS over,
      EXISTS (SELECT 1 FROM members
        WHERE NOT freed AND over_at + $4::float8 * interval '1 millisecond' <= clock_timestamp()) AS due`,
  },
  look: {
    name: 'manyhands_look',
    text: `SELECT count(*) AS current, false AS due ${current('$2')}`,
  },
  jobs: {
    name: 'manyhands_pulse_jobs',
    text: `
    SELECT progress.*, CASE WHEN range_count IS NULL THEN claimed_to < inputs_end ELSE claimed_to < range_count END
        OR EXISTS (SELECT 1 FROM blocks WHERE blocks.job = frontiers.job AND blocks.epoch = 0) AS claimable,
      EXISTS (SELECT 1 FROM hunger JOIN members ON members.epoch = hunger.epoch AND over_at IS NULL
        WHERE hunger.job = frontiers.job AND hunger.epoch <> $1
          AND at > clock_timestamp() - $2::float8 * interval '1 millisecond') AS wanted
    FROM frontiers, ${newestProgress('frontiers.job')} WHERE NOT frontiers.ended ORDER BY frontiers.job`,
  },
  servers: {
    name: 'manyhands_servers',
    text: `SELECT members.epoch, facts, floor(extract(epoch FROM since) * 1000)::bigint AS since, token_writes
      FROM farm LEFT JOIN (members JOIN beats USING (epoch)) ON over_at IS NULL ORDER BY members.epoch`,
  },
  orders: {
    name: 'manyhands_orders',
    text: `WITH told AS (DELETE FROM orders WHERE epoch = $1 RETURNING id, text) SELECT text FROM told ORDER BY id`,
  },
  order: {
    name: 'manyhands_order',
    text: `INSERT INTO orders (epoch, text) SELECT epoch, $2 FROM members WHERE epoch = $1 AND over_at IS NULL`,
  },
  due: {
    name: 'manyhands_due',
    text: `SELECT epoch FROM members WHERE NOT freed AND over_at + $1::float8 * interval '1 millisecond' <= clock_timestamp()
      ORDER BY epoch FOR UPDATE SKIP LOCKED`,
  },
  freeBlocks: {
    name: 'manyhands_free_blocks',
    text: `UPDATE blocks SET epoch = 0, part = CASE WHEN part = 0 THEN nextval('part_numbers') ELSE part END
      WHERE epoch = ANY ($1::bigint[])`,
  },
  freeLeases: { name: 'manyhands_free_leases', text: `DELETE FROM leases WHERE holder = ANY ($1::bigint[])` },
  freeHunger: { name: 'manyhands_free_hunger', text: `DELETE FROM hunger WHERE epoch = ANY ($1::bigint[])` },
  freeOrders: { name: 'manyhands_free_orders', text: `DELETE FROM orders WHERE epoch = ANY ($1::bigint[])` },
  freed: { name: 'manyhands_freed', text: `UPDATE members SET freed = true WHERE epoch = ANY ($1::bigint[])` },
  gone: {
    name: 'manyhands_gone',
    text: `WITH gone AS (
        DELETE FROM members
        WHERE freed AND (epoch < 0 OR over_at + $1::float8 * interval '1 millisecond' <= clock_timestamp()) RETURNING epoch
      ), beats AS (
        DELETE FROM beats USING gone WHERE beats.epoch = gone.epoch
      )
      DELETE FROM commits USING gone WHERE commits.epoch = gone.epoch`,
  },
} satisfies Record<string, Statement>;

/** Says that servers live, and what the farm is like (D18, D22). */
export class Pulses {
  readonly #line: Line;
  readonly #members: Members;
  readonly #times: SharedTimes;
  /** What was said last: it is not written again. */
  #told: { epoch: Epoch; facts: string } | undefined;

  constructor(line: Line, members: Members, times: SharedTimes) {
    this.#line = line;
    this.#members = members;
    this.#times = times;
  }

  pulse(epoch: Epoch, facts?: string): Promise<Pulse> {
    const { lease, grace, hunger } = this.#times;
    return this.#line.run(async (connection) => {
      const { rows } = await (facts === undefined
        ? connection.query(sql.look, [epoch, this.#members.acked(epoch)])
        : connection.query(sql.live, [epoch, lease, this.#news(epoch, facts), grace, this.#members.acked(epoch)]));
      const row = rows[0] as Row;
      if (row['current'] === 0) await this.#members.notCurrent(connection, epoch);
      if (facts !== undefined) this.#told = { epoch, facts };
      if (row['due'] === true) await this.#free(connection);
      const [jobs, orders, servers] = await together([
        connection.query(sql.jobs, [epoch, hunger]),
        connection.query(sql.orders, [epoch]),
        facts === undefined ? undefined : connection.query(sql.servers, []),
      ]);
      return {
        jobs: jobs.rows.map(pulseJobOf),
        orders: orders.rows.map((each) => JSON.parse(each['text'] as string) as string),
        ...(servers !== undefined && { farm: farmOf(servers.rows) }),
      };
    });
  }

  /** Null: it was said before. */
  #news(epoch: Epoch, facts: string): string | null {
    const isKnown = this.#told?.epoch === epoch && this.#told.facts === facts;
    return isKnown ? null : JSON.stringify(facts);
  }

  /** Leaves an order for another server (D23). */
  order(to: Epoch, text: string): Promise<boolean> {
    return this.#line.run(async (connection) => {
      const { count } = await connection.query(sql.order, [to, JSON.stringify(text)]);
      return count > 0;
    });
  }

  /** Nobody came for what these held. */
  async #free(connection: Connection): Promise<void> {
    await transaction(connection, async () => {
      const { rows } = await connection.query(sql.due, [this.#times.grace]);
      const epochs = rows.map((row) => row['epoch'] as Epoch);
      if (epochs.length === 0) return { value: undefined, sent: [] };
      const statements = [sql.freeBlocks, sql.freeLeases, sql.freeHunger, sql.freeOrders, sql.freed];
      const sent = statements.map((each) => connection.query(each, [epochs]));
      return { value: undefined, sent: [...sent, connection.query(sql.gone, [MEMBER_MEMORY])] };
    });
  }
}

function pulseJobOf(row: Row): PulseJob {
  const { job: id, claimable, wanted } = row;
  return { id, progress: progressOf(row), claimable, wanted };
}

function farmOf(rows: readonly Row[]): FarmRecord {
  return {
    servers: rows.filter((each) => each['epoch'] !== null).map(serverOf),
    tokens: rows[0]?.['token_writes'] as number,
  };
}

function serverOf(row: Row): ServerRecord {
  const { epoch, facts, since } = row;
  return { epoch, facts: JSON.parse(facts), since };
}
