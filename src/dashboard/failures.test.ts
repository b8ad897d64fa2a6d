import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PAGE_FAILURE_GROUPS, PAGE_FAILURES } from '../model/page-limits.ts';
import { estimated, FailureGroups, placesIn } from './failures.ts';
import { LineCutter, outcomeIn } from './outcomes.ts';

const failed = (index: number, message: string, name = 'RangeError') =>
  ({ index, status: 'failed', error: { name, message, stack: `${name}: ${message}\n    at task.ts:1:1` } }) as const;

describe('failures', () => {
  test('that differ only in numbers are one group, the largest first', () => {
    const groups = new FailureGroups();
    groups.add(failed(3, 'the moon'));
    for (let i = 10; i < 30; i++) groups.add(failed(i, `${i} is not a whole number from 1 to ${i / 4}`));
    groups.add({ index: 1, status: 'done', value: 1 });
    groups.add(failed(4, 'the moon', 'TypeError'));
    const [first, ...others] = groups.all;
    assert.deepEqual(
      { tasks: first?.tasks, message: first?.message, examples: first?.examples },
      { tasks: 20, message: '10 is not a whole number from 1 to 2.5', examples: [10, 11, 12, 13, 14] },
    );
    assert.deepEqual(
      others.map(({ tasks, name }) => [tasks, name]),
      [
        [1, 'RangeError'],
        [1, 'TypeError'],
      ],
    );
    assert.deepEqual([groups.looked, groups.others], [22, 0]);
  });

  test('whose causes differ have different reasons', () => {
    const groups = new FailureGroups();
    const because = (index: number, cause: unknown) => {
      groups.add({ index, status: 'failed', error: { name: 'Error', message: 'no page', cause } });
    };
    because(1, { name: 'TypeError', message: 'host 1', cause: { name: 'Error', message: '' } });
    because(2, { name: 'TypeError', message: 'host 2', cause: { name: 'Error', message: '' } });
    because(3, { name: 'RangeError', message: 'host 3' });
    because(4, { name: {}, message: [] });
    assert.deepEqual(
      groups.all.map(({ tasks, causes }) => [tasks, causes]),
      [
        [2, ['TypeError: host 1', 'Error']],
        [1, ['RangeError: host 3']],
        [1, []],
      ],
    );
  });

  test('of more kinds than are kept are counted', () => {
    const groups = new FailureGroups();
    const letters = (i: number) => i.toString(2).replaceAll('0', 'o').replaceAll('1', 'l');
    for (let i = 0; i < PAGE_FAILURE_GROUPS + 7; i++) groups.add(failed(i, letters(i)));
    assert.deepEqual(
      [groups.all.length, groups.looked, groups.others],
      [PAGE_FAILURE_GROUPS, PAGE_FAILURE_GROUPS + 7, 7],
    );
  });

  test('that are told twice count once', () => {
    const groups = new FailureGroups();
    for (const index of [1, 2, 2, 1]) groups.add(failed(index, 'no'));
    assert.deepEqual([groups.looked, groups.all[0]?.tasks, groups.all[0]?.examples], [2, 2, [1, 2]]);
  });

  test('of very many are looked at in places that are spread over all batches, and no batch is in two', () => {
    for (const batches of [1, 3, 64, 65, 7_341, 1e9]) {
      const places = placesIn(batches);
      assert.ok(places.length <= 64 && places.length <= batches);
      assert.deepEqual([places[0]?.after, places.at(-1)?.end], [0, batches]);
      for (const [i, { after, end, failures }] of places.entries()) {
        assert.equal(after, places[i - 1]?.end ?? 0);
        assert.ok(end > after && failures * places.length >= PAGE_FAILURES);
        assert.ok(end - after <= Math.ceil(batches / places.length));
      }
    }
  });

  test('are estimated in two figures', () => {
    assert.equal(estimated(6_789, 10_000, 1_000_000), 680_000);
    assert.equal(estimated(3, 10_240, 123_456), 36);
    assert.equal(estimated(0, 0, 5), 0);
  });

  test('are read from lines of results, cut anywhere', () => {
    const text =
      '{"index":5,"status":"done","value":5}\n{"cursor":"i8"}\n{"index":8,"status":"failed","error":{"message":"é"}}\n{"ind';
    for (let at = 0; at <= text.length; at++) {
      const cutter = new LineCutter();
      const lines = [...cutter.push(text.slice(0, at)), ...cutter.push(text.slice(at))];
      assert.deepEqual(
        lines.map(outcomeIn).map((outcome) => outcome?.index),
        [5, undefined, 8],
      );
    }
  });
});
