import { connect } from 'manyhands';

/** What a task gives: `task.py` is the other end of these types. */
type Throw = (points: number) => { points: number; inside: number };

const [tasks = 40, points = 25_000] = process.argv.slice(2).map(Number);

await using farm = await connect();
const inputs = Array.from({ length: tasks }, () => points);
const job = await farm.map<Throw>(new URL('./task.py', import.meta.url), inputs);
const thrown = (await job.values()).reduce((sum, each) => ({
  points: sum.points + each.points,
  inside: sum.inside + each.inside,
}));
console.log(
  `${thrown.points.toLocaleString('en')} points: pi is about ${((4 * thrown.inside) / thrown.points).toFixed(3)}`,
);
