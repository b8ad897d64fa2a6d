import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Farm } from '../../src/index.ts';
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

const WENT_BACK = /the database may have lost what it had written last/;

test('a standby that was behind takes the place of the database: what it has is right and ends, what it lacks is told (F-39, D25)', async (t) => {
  const over = await FailingOver.start(t);
  const counter = await Counter.start(t);
  const programs = [new Program(await over.connect(0)), new Program(await over.connect(1))];
  const farm = await over.connect();
  await sleep(2_000);
  const lasting = await farm.map(long, [{ url: counter.url, millis: 6_000 }], { name: 'long' });
  await waitFor(async () => counter.starts.size === 1, { what: 'the start of the long task', timeout: 20_000 });
  // A job of which the close is lost does not end by itself.
  const isWhole = async () => !(await lasting.status()).progress.open;
  await waitFor(isWhole, { what: 'all of the long job to be there', timeout: 20_000 });
  const kept = copyOf(programs);
  await over.fallBehind();
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
  // A program may read of a job that waits for inputs which are lost.
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
  for (const complaint of complaints) assert.match(complaint, /there is no job|read them again from the start/);
  say(t, { kept, lost, later, complaints });
});

/** All jobs end. Those of which inputs were lost wait for more of them, and nobody knows that but who submitted them. */
async function endOf(server: Served): Promise<void> {
  const active = async () => (await server.get<{ jobs: ActiveJob[] }>('/v1/jobs?state=active')).jobs;
  const isOver = async () => (await active()).every(({ progress: { open, done, total } }) => open && done === total);
  await waitFor(isOver, { what: 'the end of all jobs', timeout: 60_000 });
  for (const { id } of await active())
    assert.equal((await server.ask({ method: 'POST', path: `/v1/jobs/${id}/cancel` })).status, 200);
}

interface ActiveJob {
  readonly id: number;
  readonly progress: { readonly open: boolean; readonly done: number; readonly total: number };
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
