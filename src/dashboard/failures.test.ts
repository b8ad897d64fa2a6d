import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PAGE_FAILURE_GROUPS } from '../model/page-limits.ts';
import { FailureGroups, FailureSearch } from './failures.ts';
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
    assert.deepEqual([groups.grouped, groups.others], [22, 0]);
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
    assert.deepEqual([groups.all.length, groups.grouped, groups.others], [PAGE_FAILURE_GROUPS, PAGE_FAILURE_GROUPS, 7]);
  });

  test('of tasks that were tried again are those of the last time', () => {
    const groups = new FailureGroups();
    for (const index of [1, 2, 3]) groups.add(failed(index, 'no'));
    groups.add({ index: 2, status: 'done' });
    groups.add(failed(3, 'other'));
    assert.deepEqual(
      groups.all.map(({ message, tasks, examples }) => [message, tasks, examples]),
      [
        ['no', 1, [1]],
        ['other', 1, [3]],
      ],
    );
    groups.add({ index: 1, status: 'done' });
    assert.deepEqual([groups.all.length, groups.grouped], [1, 1]);
  });

  test('are looked for where the last look stopped, and what was cut off is told again', () => {
    const search = new FailureSearch();
    const line = (index: number) => JSON.stringify(failed(index, 'no'));
    search.begin();
    for (const each of [line(1), line(2), '{"cursor":"c1"}', line(3)]) search.take(each);
    assert.deepEqual([search.groups.grouped, search.looked, search.after], [2, 2, '&after=c1']);
    search.begin();
    for (const each of [line(3), '{"cursor":"c2"}', '{"cursor":"c2"}']) search.take(each);
    assert.deepEqual([search.groups.grouped, search.looked, search.after], [3, 3, '&after=c2']);
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
