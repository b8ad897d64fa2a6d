// Runs the simulator: `npm run sim -- --seed 17 --trace` shows one run, `--seeds 1..1000` or `--minutes 10` many.
// `--plan FILE` runs a plan that was kept, `--shrink` makes a failing one small, `--plant NAME` plants a bug first.
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { BUGS, plantBug } from './planted.ts';

const USAGE =
  'npm run sim -- [--seed N | --seeds FIRST..LAST | --minutes M | --plan FILE] [--trace] [--shrink] [--plant NAME]';

const values = options();

// Before anything of the program is loaded.
const names = BUGS.map(({ name }) => name);
if (values.plant !== undefined && !names.includes(values.plant)) refuse(`the bugs are: ${names.join(', ')}`);
if (values.plant !== undefined) plantBug(values.plant);
const { drawPlan, simulate } = await import('../../src/testing/index.ts');
const { complaint, numbers, summary, sweep } = await import('./sweep.ts');
const { shrink } = await import('./shrink.ts');

if (values.plan !== undefined || values.seed !== undefined) await one();
else await many();

function options() {
  try {
    return parseArgs({
      options: {
        seed: { type: 'string' },
        seeds: { type: 'string' },
        minutes: { type: 'string' },
        plan: { type: 'string' },
        plant: { type: 'string' },
        trace: { type: 'boolean', default: false },
        shrink: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    refuse((error as Error).message);
  }
}

/** One run, in every detail that is asked for. */
async function one(): Promise<void> {
  const plan = values.plan === undefined ? drawPlan(whole(values.seed)) : JSON.parse(readFileSync(values.plan, 'utf8'));
  const verdict = await simulate(plan, values.trace ? { trace: (line) => console.log(line) } : {});
  if (verdict.failure !== undefined && values.shrink) {
    console.log(JSON.stringify(await shrink(plan, verdict.failure.rule), null, 2));
  } else if (verdict.failure !== undefined) {
    console.log(verdict.failure.stack);
    if (verdict.failure.cause !== undefined) console.log(verdict.failure.cause);
  }
  if (!values.shrink) console.log(`${complaint(verdict).split('\n')[0]}, ${verdict.events} events`);
  process.exitCode = verdict.failure === undefined ? 0 : 1;
}

async function many(): Promise<void> {
  const [first, last] = seeds();
  const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes);
  const end = performance.now() + minutes * 60_000;
  console.log(`seeds from ${first}${last === Number.MAX_SAFE_INTEGER ? '' : ` to ${last}`}`);
  const totals = await sweep(numbers(first, last), {
    onVerdict: (verdict) => {
      if (verdict.failure !== undefined) console.log(complaint(verdict));
    },
    // A planted bug need be found only once.
    more: ({ failures }) => performance.now() < end && !(values.plant !== undefined && failures.length > 0),
  });
  console.log(summary(totals));
  for (const [what, times] of [...totals.reached].sort()) console.log(`${String(times).padStart(9)}  ${what}`);
  console.log(`${totals.failures.length} of ${totals.runs} runs failed`);
  process.exitCode = totals.failures.length > 0 ? 1 : 0;
}

function seeds(): [first: number, last: number] {
  const [, first, last] = /^(\d+)\.\.(\d+)$/.exec(values.seeds ?? '') ?? [];
  if (first !== undefined && last !== undefined) return [Number(first), Number(last)];
  if (values.seeds !== undefined) throw new Error(`--seeds takes a range such as 1..1000, not ${values.seeds}`);
  // New ones each time, so that every run looks somewhere else.
  return [Math.floor(Date.now() / 1_000) * 1_000, Number.MAX_SAFE_INTEGER];
}

function whole(text: string | undefined): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number)) refuse(`a seed is a whole number, not ${text}`);
  return number;
}

function refuse(why: string): never {
  console.error(`${why}\nusage: ${USAGE}`);
  process.exit(2);
}
