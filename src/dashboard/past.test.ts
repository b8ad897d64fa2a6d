import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Timeline, TimelineBar } from '../model/timeline.ts';
import { layOut, momentOf, sharesOf } from './past.ts';

const bar = (seq: number, worker: string, from: number, to: number, part: Partial<TimelineBar> = {}): TimelineBar => ({
  ...{ seq, worker, lease: seq, from, to, micros: (to - from) * 1_000, first: seq * 10, tasks: 10, failed: 0 },
  ...part,
});

function told(part: Partial<Timeline>): Timeline {
  const bars = part.bars ?? [];
  return { job: 1, at: 1_000, batches: bars.length, step: 1, bars, running: [], attempts: [], isCut: false, ...part };
}

const unknown = () => undefined;

describe('the past', () => {
  test('lies in a lane for each slot of each worker, who was first comes first', () => {
    const timeline = told({
      bars: [bar(1, 'b', 100, 300), bar(2, 'a', 50, 350), bar(3, 'a', 60, 400), bar(4, 'a', 360, 500)],
    });
    const rows = layOut(timeline, unknown);
    assert.deepEqual(
      rows.map(({ worker, lanes, stretches }) => [
        worker,
        lanes,
        stretches.map(({ lane, from, to }) => [lane, from, to]),
      ]),
      [
        [
          'a',
          2,
          [
            [0, 50, 350],
            [1, 60, 400],
            [0, 360, 500],
          ],
        ],
        ['b', 1, [[0, 100, 300]]],
      ],
    );
  });

  test('shows what runs up to now, but not what waits in the queue of its worker', () => {
    const running = [1, 2, 3].map((lease) => ({ worker: 'a', lease, from: 600 + lease, first: lease, tasks: 1 }));
    const [row] = layOut(told({ bars: [], running }), () => 2);
    assert.deepEqual(
      row?.stretches.map(({ tone, from, to }) => [tone, from, to]),
      [
        ['running', 601, 1_000],
        ['running', 602, 1_000],
      ],
    );
  });

  test('shows what came to nothing: lost or slower for as long as it took, failed as a moment of its batch', () => {
    const attempt = { index: 7, worker: 'a', startedAt: 100, endedAt: 900, message: 'gone' };
    const timeline = told({
      bars: [bar(1, 'a', 0, 500), bar(2, 'a', 10, 510, { failed: 1 })],
      attempts: [
        { ...attempt, lease: 9, outcome: 'lost', tasks: 64 },
        { ...attempt, lease: 2, outcome: 'failed', endedAt: 300 },
      ],
    });
    const [row] = layOut(timeline, unknown);
    assert.deepEqual(
      row?.stretches.map(({ tone, lane, tasks, message }) => [tone, lane, tasks, message]),
      [
        ['done', 0, 10, undefined],
        ['failed', 1, 10, undefined],
        ['lost', 2, 64, 'gone'],
      ],
    );
    assert.deepEqual(row?.marks, [{ worker: 'a', lane: 1, at: 300 }]);
  });

  test('leaves out what the server made itself: it took no slot', () => {
    assert.deepEqual(layOut(told({ bars: [bar(1, '', 5, 5, { failed: 10, micros: 0 })] }), unknown), []);
    assert.deepEqual(sharesOf(told({ bars: [bar(1, '', 5, 5)] })), []);
  });

  test('can be looked at moment by moment', () => {
    const timeline = told({ bars: [bar(1, 'a', 0, 100), bar(2, 'b', 20, 200, { failed: 3 }), bar(3, 'a', 100, 300)] });
    const rows = layOut(timeline, unknown);
    const at = (time: number) => {
      const { busy, ended, failed, isRough } = momentOf(timeline, rows, time);
      return [busy, ended, failed, isRough];
    };
    assert.deepEqual(at(10), [1, 0, 0, false]);
    assert.deepEqual(at(50), [2, 0, 0, false]);
    assert.deepEqual(at(100), [2, 10, 0, false]);
    assert.deepEqual(at(250), [1, 20, 3, false]);
    assert.deepEqual(at(300), [0, 30, 3, false]);
  });

  test('of which every tenth batch is told is counted ten times, and said to be rough', () => {
    const timeline = told({ step: 10, bars: [bar(1, 'a', 0, 100), bar(11, 'a', 100, 200)] });
    const moment = momentOf(
      timeline,
      layOut(timeline, () => 4),
      150,
    );
    assert.deepEqual([moment.ended, moment.isRough, moment.busy], [100, true, 1]);
    assert.deepEqual(sharesOf(timeline), [{ worker: 'a', batches: 20, tasks: 200, failed: 0, busy: 2_000 }]);
  });
});
