// Finds the prime sextuplets from some number on, on every device of the farm:
//
//     node examples/primes/search.ts [FROM [HOW_MANY]]
//
// The job is the whole rest of the numbers up to 2^53, billions of tasks. A range costs three numbers whatever its length,
// and only the hits come back; when there are enough, the job is cancelled.
import { connect, range } from 'manyhands';
import type sextuplets from './sextuplets.ts';
import { LAST_STRETCH, STRETCH } from './sextuplets.ts';

const TASK = new URL('./sextuplets.ts', import.meta.url);

function whole(text: string, what: string, most: number): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0 && number <= most) return number;
  throw new RangeError(`${what} is a whole number up to ${most.toLocaleString('en')}, not ${text}`);
}

async function search(from: number, howMany: number): Promise<void> {
  await using farm = await connect();
  // Stretches begin at 97, and the one that holds `from` also holds numbers below it.
  const stretches = range(Math.max(Math.floor((from - 97) / STRETCH), 0), LAST_STRETCH + 1);
  const job = await farm.map<typeof sextuplets>(TASK, stretches, { name: `sextuplets from ${from}` });
  process.stderr.write(
    `job ${job.id}: ${stretches.count.toLocaleString('en')} tasks of ${STRETCH.toLocaleString('en')} numbers\n`,
  );
  let found = 0;
  for await (const record of job.results({ defined: true })) {
    if (record.status === 'failed') throw record.error;
    if (record.status !== 'done') break;
    for (const first of record.value ?? []) {
      if (first < from) continue;
      process.stdout.write(`${first}\n`);
      if (++found === howMany) return await job.cancel();
    }
  }
}

const [from = '1e15', howMany = '3'] = process.argv.slice(2);
try {
  await search(whole(from, 'FROM', LAST_STRETCH * STRETCH), whole(howMany, 'HOW_MANY', 1e6));
} catch (error) {
  process.stderr.write(`search: ${(error as Error).message}\n`);
  process.exitCode = error instanceof RangeError ? 2 : 1;
}
