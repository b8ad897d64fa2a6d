import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Farm, Job } from '../../src/index.ts';
import { waitFor, within } from '../support/wait.ts';
import { Counter } from './counter.ts';
import { FailingOver, Program, type ToldJob } from './failing-over.ts';
import type { Served } from './served.ts';
import { checkDatabase } from './several-servers.ts';

async function long(
  { url, millis }: { url: string; millis: number },
  { key, attempt }: { key: string; attempt: string },
) {
  await fetch(`${url}/${key}/${attempt}`);
  await new Promise((resolve) => setTimeout(resolve, millis));
  return attempt;
}

const COMPLAINT = /there is no job|read them again from the start|lost some of the 50 inputs|some did not arrive/;
const WENT_BACK = /the database may have lost what it had written last/;

test('a standby that was behind takes the place of the database: what it has is right and ends, what it lacks is told (F-39, D25)', async (t) => {
  const over = await FailingOver.start(t);
  const counter = await Counter.start(t);
  const programs = [new Program(await over.connect(0)), new Program(await over.connect(1))];
  const farm = await over.connect();
  await sleep(2_000);
  const lasting = await farm.map(long, [{ url: counter.url, millis: 6_000 }], { name: 'long' });
  await waitFor(async () => counter.starts.size === 1, { what: 'the start of the long task', timeout: 20_000 });
  const unclosed = await Halved.submit(farm, 0);
  const incomplete = await Halved.submit(farm, 20);
  const isWhole = async () => !(await lasting.status()).progress.open;
  await waitFor(isWhole, { what: 'all of the long job to be there', timeout: 20_000 });
  const kept = copyOf(programs);
  await over.fallBehind();
  for (const { theRest, job } of [unclosed, incomplete]) {
    theRest.resolve();
    await job.submitted;
  }
  await sleep(1_500);
  const [{ newest } = {}] = await over.standby.query('SELECT max(id)::int AS newest FROM jobs', over.database);
  const lost = programs.flatMap(({ jobs }) => jobs.filter(({ job }) => job > (newest as number)));
  assert.ok(kept.length > 2 && lost.length > 2, `there was load: ${kept.length} jobs, then ${lost.length}`);
  await over.failOver();
  for (const { process } of over.servers) await process.output(WENT_BACK, { stream: 'stderr', timeout: 30_000 });
  await sleep(3_000);
  const stopped = Promise.all(programs.map((program) => program.stop()));

  // The lease of the long task was kept, and so was its worker's result: nobody ran it again.
  assert.deepEqual(await within(lasting.values(), 60_000, 'the long job'), counter.starts.values().next().value);
  const [first] = over.servers as [Served];
  // Whoever submitted a job says again that it is whole, or hears that it is not any more.
  assert.equal((await within(unclosed.job.values(), 60_000, 'the job of which the end was lost')).length, 20);
  await assert.rejects(
    within(incomplete.job.values(), 60_000, 'the job of which inputs were lost'),
    /went back in time and lost some of the 40 inputs/,
  );
  await endOf(first);
  await within(stopped, 60_000, 'what the programs do last');
  for (const told of kept) await checkKept(farm, told);
  for (const { job } of lost) {
    const answer = await first.ask({ path: `/v1/jobs/${job}` });
    assert.deepEqual([answer.status, /there is no job \d+/.test(answer.text)], [404, true], answer.text);
  }
  // No number is given out again: neither of a job nor of a lease.
  const later = programs.flatMap(({ jobs }) => jobs.filter(({ job }) => job > 100_000));
  assert.ok(later.length > 2, `work went on: ${later.length} jobs`);
  for (const told of later) if (told.values.size === told.inputs.length) await checkKept(farm, told);
  const [epochs] = await over.standby.query(
    'SELECT min(epoch)::int AS least FROM members WHERE over_at IS NULL',
    over.database,
  );
  assert.ok((epochs?.['least'] as number) > 1_000, JSON.stringify(epochs));
  await checkDatabase({ postgres: over.standby, database: { name: over.database, url: '' } });
  await seenOnTheOverview(first);
  const complaints = programs.flatMap((program) => program.complaints);
  for (const complaint of complaints) assert.match(complaint, COMPLAINT);
  say(t, { kept, lost, later, complaints });
});

/** All jobs end, those too of which nobody reads any more. */
async function endOf(server: Served): Promise<void> {
  const active = async () => (await server.get<{ jobs: unknown[] }>('/v1/jobs?state=active')).jobs;
  await waitFor(async () => (await active()).length === 0, { what: 'the end of all jobs', timeout: 60_000 });
}

/** A job of which the first 20 inputs are there, and the rest are not, nor the end of them. */
class Halved {
  readonly job: Job<number>;
  readonly theRest: PromiseWithResolvers<void>;

  private constructor(job: Job<number>, theRest: PromiseWithResolvers<void>) {
    this.job = job;
    this.theRest = theRest;
  }

  static async submit(farm: Farm, rest: number): Promise<Halved> {
    const theRest = Promise.withResolvers<void>();
    async function* inputs(): AsyncGenerator<number> {
      for (let at = 0; at < 20; at++) yield at;
      await theRest.promise;
      for (let at = 0; at < rest; at++) yield 20 + at;
    }
    const job = await farm.map((n: number) => n, inputs(), { name: `halved, and ${rest} more` });
    const isHalf = async () => (await job.status()).progress.total === 20;
    await waitFor(isHalf, { what: 'half of the inputs', timeout: 20_000 });
    return new Halved(job, theRest);
  }
}

function copyOf(programs: readonly Program[]): ToldJob[] {
  return programs.flatMap(({ jobs }) => jobs.map((told) => ({ ...told, values: new Map(told.values) })));
}

/** It has ended well, each of its tasks is there once, and what was told of them before is still so. */
async function checkKept(farm: Farm, { job: id, inputs, values }: ToldJob): Promise<void> {
  const job = farm.job<{ square: number; attempt: string }>(id);
  const { progress } = await job.status();
  assert.deepEqual([progress.state, progress.done], ['done', inputs.length], `job ${id}`);
  const found = new Map<number, string>();
  for await (const record of job.results({ ordered: false })) {
    assert.ok(record.status === 'done' && !found.has(record.index), `task ${id}/${record.index}`);
    assert.equal(record.value.square, (inputs[record.index] as number) ** 2);
    found.set(record.index, record.value.attempt);
  }
  for (const [index, attempt] of values) assert.equal(found.get(index), attempt, `task ${id}/${index}`);
}

async function seenOnTheOverview({ url, admin }: Served): Promise<void> {
  const cut = new AbortController();
  const answer = await fetch(`${url}/v1/events`, { headers: { authorization: `Bearer ${admin}` }, signal: cut.signal });
  const decoder = new TextDecoder();
  let seen = '';
  for await (const part of answer.body as AsyncIterable<Uint8Array>) {
    seen += decoder.decode(part, { stream: true });
    if (seen.split('"rewoundAt"').length > 2) break;
  }
  cut.abort();
}

function say(
  t: TestContext,
  { kept, lost, later, complaints }: Record<'kept' | 'lost' | 'later', ToldJob[]> & { complaints: string[] },
): void {
  t.diagnostic(`${kept.length} jobs kept, ${lost.length} lost, ${later.length} after it`);
  for (const complaint of new Set(complaints)) t.diagnostic(`a program was told: ${complaint}`);
}
