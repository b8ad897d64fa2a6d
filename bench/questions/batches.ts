import { MeasuredDatabase } from '../harness/database.ts';
import { MeasuredFarms } from '../harness/farms.ts';
import type { Question, Sample } from '../harness/figures.ts';

const SERVERS = 2;
/** Of each server. */
const WORKERS = [4, 4];
const SECONDS = 6;

/** S4: the longer a task takes, the fewer come in one batch, and the more each costs. */
export const batches: Question = {
  id: 'S4',
  asks: `tasks that wait for 1, 10, 100 and 1,000 ms, on 16 slots of ${SERVERS} servers: what they cost`,
  async measure(): Promise<Sample[]> {
    await using database = await MeasuredDatabase.start();
    await using farms = await MeasuredFarms.start(database, SERVERS, ...WORKERS);
    const slots = SERVERS * WORKERS.reduce((sum, each) => sum + each, 0);
    const samples: Sample[] = [];
    for (const millis of [1, 10, 100, 1_000]) {
      const tasks = Math.round(Math.max(10 * slots, (slots * SECONDS * 1_000) / (millis + 1)));
      const inputs = Array.from({ length: tasks }, () => millis);
      const [first] = farms.list;
      if (first === undefined) throw new Error('there is no server');
      const costs = await farms.measure(tasks, async () => {
        const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
        const job = await first.client.map(wait, inputs);
        await job.values();
      });
      const name = `S4 tasks of ${millis.toLocaleString('en')} ms`;
      samples.push(
        { name: `${name}: rate`, value: costs.rate, unit: 'tasks/s' },
        { name: `${name}: segments`, value: costs.segments, unit: 'per 1,000 tasks' },
        { name: `${name}: statements`, value: costs.statements, unit: 'per 1,000 tasks' },
        { name: `${name}: database CPU`, value: costs.databaseCpu, unit: 'ms per 1,000 tasks' },
        { name: `${name}: server CPU`, value: costs.serverCpu, unit: 'ms per 1,000 tasks' },
      );
    }
    return samples;
  },
};
