import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RandomFarm } from '../../test/support/scheduler-farm.ts';

const RUNS = Number(process.env.SCHEDULER_RUNS ?? 200);

test('S1 S3 S4 S6 S8 L1: whatever workers, clients and the server do, in any order', () => {
  fc.assert(
    fc.property(
      fc.noBias(fc.array(fc.nat({ max: 2 ** 30 }), { minLength: 20, maxLength: 250, size: 'max' })),
      (decisions) => {
        const farm = new RandomFarm(decisions);
        farm.run();
        farm.heal();
      },
    ),
    { numRuns: RUNS, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false },
  );
});

test('the random farm reaches the states worth reaching', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(
      fc.noBias(fc.array(fc.nat({ max: 2 ** 30 }), { minLength: 150, maxLength: 250, size: 'max' })),
      (decisions) => {
        const farm = new RandomFarm(decisions);
        farm.run();
        farm.heal();
        for (const what of farm.seen) seen.add(what);
      },
    ),
    { numRuns: 100, seed: 7, endOnFailure: true },
  );
  const wanted = [
    'recorded',
    'duplicate',
    'superseded',
    'unknown',
    'late outcome recorded',
    'recall',
    'revoke',
    'lost',
    'adopted',
    'claimMore',
  ];
  wanted.push('retried', 'cancelled', 'fenced outcome refused', 'job failed');
  assert.deepEqual(
    wanted.filter((what) => !seen.has(what)),
    [],
  );
});
