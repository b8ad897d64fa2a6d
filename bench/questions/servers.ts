import { MeasuredDatabase } from '../harness/database.ts';
import type { MeasuredFarm } from '../harness/farm.ts';
import { type Costs, MeasuredFarms } from '../harness/farms.ts';
import type { Question, Sample } from '../harness/figures.ts';
import { databaseLimits } from '../limits/postgres.ts';

const TASKS = 800_000;
/** For each server the same number, and enough that their compilers settle before: what is compared is a task. */
const TASKS_EACH = 500_000;
const WARM_UP_EACH = 150_000;
const MOST_SERVERS = 4;
/** Share by which servers may cost more, or less, a task where there are four. */
const FLAT = 0.2;

/** S1: W1 with two servers over one PostgreSQL, each with a worker of one slot and a client. */
export const servers: Question = {
  id: 'S1',
  asks: `${TASKS.toLocaleString('en')} tasks i → i·i, two servers over one PostgreSQL, every commit synced`,
  async measure(): Promise<Sample[]> {
    await using database = await MeasuredDatabase.start();
    const limits = await databaseLimits(database.url);
    await using farms = await MeasuredFarms.start(database, 2, 1);
    await squaresEach(farms.list, WARM_UP_EACH);
    const alone = await farms.measure(TASKS, () => squaresEach(farms.list.slice(0, 1), TASKS));
    const both = await farms.measure(TASKS, () => squaresEach(farms.list, TASKS / 2));
    return [
      { name: 'S1 limit: commits of a row, one by one', value: limits.commits, unit: 'commits/s' },
      { name: 'S1 limit: rows of 8 KiB, 16 a commit', value: limits.rows, unit: 'rows/s' },
      { name: 'S1 two servers, one client', value: alone.rate, unit: 'tasks/s', target: { atLeast: 100_000 } },
      { name: 'S1 two servers, a client each', value: both.rate, unit: 'tasks/s', target: { atLeast: 100_000 } },
    ];
  },
};

/**
 * S2: does a server cost the same, whatever the number of its siblings? Processes that share two cores slow each other, so that
 * a second of CPU does less: as many servers that are no siblings are measured as well, and the siblings compared with them.
 */
export const siblings: Question = {
  id: 'S2',
  asks: `the same from 1 to ${MOST_SERVERS} servers, each with a worker and a client: what a task costs the database and the servers`,
  async measure(): Promise<Sample[]> {
    const samples: Sample[] = [];
    let one = 0;
    for (let count = 1; count <= MOST_SERVERS; count++) {
      const { rate, statements, databaseCpu, serverCpu, segments, wal } = await costsOf('start', count);
      if (count === 1) one = serverCpu;
      const name = `S2 ${count} ${count === 1 ? 'server' : 'servers'}`;
      samples.push(
        { name: `${name}: rate`, value: rate, unit: 'tasks/s' },
        { name: `${name}: statements`, value: statements, unit: 'per 1,000 tasks', target: { atMost: 12 } },
        { name: `${name}: database CPU`, value: databaseCpu, unit: 'ms per 1,000 tasks', target: { atMost: 3 } },
        { name: `${name}: server CPU`, value: serverCpu, unit: 'ms per 1,000 tasks' },
        { name: `${name}: segments`, value: segments, unit: 'per 1,000 tasks' },
        { name: `${name}: log of the database`, value: wal / 1_000, unit: 'bytes a task' },
      );
      if (count === 1) continue;
      const apart = (await costsOf('apart', count)).serverCpu;
      samples.push(
        { name: `${name} with nothing in common: server CPU`, value: apart, unit: 'ms per 1,000 tasks' },
        { name: `${name}: server CPU ÷ of one`, value: serverCpu / one, unit: '' },
        {
          name: `${name}: server CPU ÷ with nothing in common`,
          value: serverCpu / apart,
          unit: '',
          target: { atMost: 1 + FLAT },
        },
      );
    }
    return samples;
  },
};

async function costsOf(kind: 'start' | 'apart', count: number): Promise<Costs> {
  await using database = await MeasuredDatabase.start();
  await using farms = await MeasuredFarms[kind](database, count, 1);
  await squaresEach(farms.list, WARM_UP_EACH);
  return await farms.measure(TASKS_EACH * count, () => squaresEach(farms.list, TASKS_EACH));
}

/** The same number of tasks from each client, at the same time. Every value is compared. */
async function squaresEach(farms: readonly MeasuredFarm[], tasks: number): Promise<void> {
  await Promise.all(farms.map((farm) => squares(farm, tasks)));
}

async function squares(farm: MeasuredFarm, tasks: number): Promise<void> {
  const job = await farm.client.map(
    (i: number) => i * i,
    Array.from({ length: tasks }, (_, i) => i),
  );
  const values = await job.values();
  const wrong = values.findIndex((value, i) => value !== i * i);
  if (wrong !== -1 || values.length !== tasks) throw new Error(`task ${wrong} gave ${values[wrong]}`);
}
