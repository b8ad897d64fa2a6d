import { setTimeout as sleep } from 'node:timers/promises';
import { range } from 'manyhands';
import pg from 'pg';
import { MeasuredDatabase } from '../harness/database.ts';
import { MeasuredFarms } from '../harness/farms.ts';
import type { Question, Sample } from '../harness/figures.ts';

const MINUTE = 60_000;
/** Milliseconds; MINUTES=30 is as long as a large backup takes. */
const TIME = Number(process.env['MINUTES'] ?? 5) * MINUTE;
/** The first and the last part of it, which are compared. */
const PART = Math.min(MINUTE, TIME / 4);
/** What each commit says. */
const STATEMENTS = {
  'the check of the epoch': 'WITH member AS MATERIALIZED%SELECT FROM fence',
  'the progress of a job': 'WITH t AS MATERIALIZED%INSERT INTO progress%',
};

/** S6: does a session that keeps old versions from being cleared away slow the farm down? */
export const oldSnapshot: Question = {
  id: 'S6',
  asks: `two servers, tasks of 5 ms, and for ${TIME / MINUTE} min a transaction in the same database that is never ended`,
  runs: 1,
  async measure(): Promise<Sample[]> {
    await using database = await MeasuredDatabase.start();
    await using farms = await MeasuredFarms.start(database, 2, 1);
    const neighbour = new pg.Client({ connectionString: database.url });
    await neighbour.connect();
    await neighbour.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await neighbour.query('SELECT txid_current() FROM farm');
    const job = await farms.list[0]?.client.map(
      async (i: number) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return i;
      },
      range(0, 10 ** 9),
    );
    const first = await statementTimes(database);
    await sleep(TIME - 2 * PART);
    const last = await statementTimes(database);
    const [dead] = await database.query<{ count: string }>('SELECT sum(n_dead_tup) AS count FROM pg_stat_user_tables');
    await job?.cancel();
    await neighbour.end();
    return [
      { name: 'S6 old versions of rows at the end', value: Number(dead?.count), unit: '' },
      ...Object.keys(STATEMENTS).flatMap((name): Sample[] => {
        const [before = 0, after = 0] = [first.get(name), last.get(name)];
        return [
          { name: `S6 ${name}, at first`, value: before, unit: 'ms' },
          { name: `S6 ${name}, at the end`, value: after, unit: 'ms' },
          { name: `S6 ${name}, the end ÷ the beginning`, value: after / before, unit: '', target: { atMost: 2 } },
        ];
      }),
    ];
  },
};

/** What each of them takes, in milliseconds, while this is awaited. */
async function statementTimes(database: MeasuredDatabase): Promise<Map<string, number>> {
  await database.reset();
  await sleep(PART);
  const times = new Map<string, number>();
  for (const [name, like] of Object.entries(STATEMENTS)) {
    const text = `SELECT sum(total_exec_time) / sum(calls) AS each FROM pg_stat_statements WHERE query LIKE '${like}'`;
    const [row] = await database.query<{ each: number | null }>(text);
    if (row?.each === undefined || row.each === null) throw new Error(`no statement is like '${like}'`);
    times.set(name, row.each);
  }
  return times;
}
