import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cleanup, cleanUp } from '../../../test/support/cleanup.ts';
import { type Fault, faultyWorker } from '../../../test/support/faulty-worker.ts';
import { startWorker } from '../../worker/node/join.ts';
import { Door } from './door.ts';
import { Examination } from './examination.ts';
import type { Verdict } from './verdicts.ts';

async function examine(t: Cleanup, start: (link: URL) => void, workTime = 20_000): Promise<Verdict[]> {
  const door = await Door.open('127.0.0.1', 0);
  cleanUp(t, () => door.close());
  start(new URL(`http://127.0.0.1:${door.port}/join#${door.token}`));
  const verdicts: Verdict[] = [];
  for await (const verdict of new Examination(door, { runner: undefined, code: undefined, workTime }).run())
    verdicts.push(verdict);
  return verdicts;
}

function broken(verdicts: readonly Verdict[]): string[] {
  return verdicts.flatMap(({ rule, what, kept }) => (kept ? [] : [`${rule} ${what}`]));
}

test('the worker of this project keeps every rule that is examined', async (t) => {
  const verdicts = await examine(t, (link) => {
    const worker = startWorker({ url: link.href, slots: 2 });
    cleanUp(t, () => worker.stop());
  });
  assert.deepEqual(broken(verdicts), []);
  assert.ok(verdicts.length > 20);
  assert.equal(verdicts.at(-1)?.what, 'does not come back afterwards');
  assert.deepEqual(
    verdicts.filter(({ skipped }) => skipped).map(({ rule }) => rule),
    ['P26'],
  );
});

const faults: Record<string, Fault> = {
  'none at all': { found: [] },
  'another path': { path: '/worker', found: ['P1 connects to /v1/worker, with its token and a known subprotocol'] },
  'a key that is no key': { hello: { key: 'me' }, found: ['P7 says hello first, with all that belongs to it'] },
  'another version': { hello: { protocol: 7 }, found: ['P2 speaks version 1'] },
  'it does not wait for the welcome': { early: true, found: ['P7 waits for welcome before it says more'] },
  'a new key each time': { forgetsKey: true, found: ['P3 comes back with the same key'] },
  'it forgets what was not acknowledged': {
    forgetsOutcomes: true,
    found: [
      'P11 names in its hello what it keeps, and nothing else',
      'P10 sends what was not acknowledged again after the welcome',
    ],
  },
  'a wrong value': { wrongValue: true, found: ['P5 reads and writes values as they are'] },
  'a failure told as a value': {
    failsAsValue: true,
    found: ['P5 a task that fails is told as a failure, with its name and message'],
  },
  'none, by polls': { polls: {}, found: [] },
  'what has not arrived is counted': {
    polls: { countsUnanswered: true },
    found: ['P26 repeats a poll that has no answer'],
  },
  'half a line is counted': { polls: { countsHalves: true }, found: ['P26 loses nothing of an answer that is cut'] },
  'it stays': { stays: true, found: ['P14 leaves when it is dismissed'] },
};

for (const [name, fault] of Object.entries(faults)) {
  test(`a worker with a fault is found out: ${name}`, { timeout: 60_000 }, async (t) => {
    const verdicts = await examine(
      t,
      (link) => faultyWorker(t, link, fault),
      fault.found.length > 0 ? 3_000 : undefined,
    );
    for (const found of fault.found) assert.ok(broken(verdicts).includes(found), JSON.stringify(broken(verdicts)));
    if (fault.found.length === 0) assert.deepEqual(broken(verdicts), []);
  });
}
