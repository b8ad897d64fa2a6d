// Runs an epidemic for each pair of two parameters, one task a pair, and draws what came of all:
//
//     node examples/sweep/sweep.ts [FILE.svg]
import { writeFileSync } from 'node:fs';
import { connect } from 'manyhands';
import type epidemic from './epidemic.ts';
import type { Setting } from './epidemic.ts';
import { plot } from './plot.ts';

const file = process.argv[2] ?? 'sweep.svg';
const steps = (from: number, to: number, many: number) =>
  Array.from({ length: many }, (_, at) => Number((from + ((to - from) * at) / (many - 1)).toFixed(3)));

const settings: Setting[] = steps(0, 0.6, 5).flatMap((vaccinated) =>
  steps(0.5, 4, 29).map((spread) => ({ spread, vaccinated })),
);

await using farm = await connect();
const job = await farm.map<typeof epidemic>(new URL('./epidemic.ts', import.meta.url), settings, { name: 'epidemics' });
const courses = await job.values();
writeFileSync(file, plot(courses));

const worst = courses.reduce((a, b) => (b.ill > a.ill ? b : a));
const share = (part: number) => `${(100 * part).toFixed(1)} %`;
console.log(`${courses.length} settings, drawn in ${file}`);
console.log(
  `worst: ${share(worst.ill)} fall ill, ${share(worst.peak)} at once (spread ${worst.spread}, ${share(worst.vaccinated)} vaccinated)`,
);
