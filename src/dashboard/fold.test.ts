import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { endedAt, slotsOf } from '../model/farm-history.ts';
import type { FeedMessage } from '../model/feed.ts';
import { hasEnded } from '../model/job.ts';
import { type FarmView, fold, nothingSeen } from './fold.ts';

/**
 * What a real server said to a reader during three jobs: a worker came and went, the reader was cut off, a job was
 * forgotten meanwhile, the reader went on at its cursor, and at last another one read from the beginning.
 */
const recorded = readFileSync(new URL('../../test/recorded/feed.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as FeedMessage | { kind: 'cut' })
  .filter((message): message is FeedMessage => message.kind !== 'cut');
const lastSnapshot = recorded.findLastIndex(({ kind }) => kind === 'snapshot');
const heard = recorded.slice(0, lastSnapshot);
const fresh = recorded.slice(lastSnapshot);

const seen = (messages: readonly FeedMessage[], from: FarmView = nothingSeen) => messages.reduce(fold, from);
const withoutPace = (rows: ReadonlyMap<unknown, { pace: unknown }>) =>
  [...rows].map(([id, { pace: _, ...row }]) => [id, row]).sort(([a], [b]) => Number(a) - Number(b));

describe('the fold', () => {
  test('of all deltas, across a cut, is what a new reader is told', () => {
    const followed = seen(heard);
    const told = seen(fresh);
    assert.deepEqual(withoutPace(followed.jobs), withoutPace(told.jobs));
    assert.deepEqual(withoutPace(followed.workers), withoutPace(told.workers));
    assert.deepEqual(followed.tallies, told.tallies);
    assert.equal(followed.cursor, told.cursor);
    // The last moment is the one in which the new reader came.
    for (const { at, ended } of told.history.slice(0, -2)) assert.equal(endedAt(followed.history, at), ended);
  });

  test('is complete only once the boundary of a snapshot has been read', () => {
    const [snapshot, boundary] = heard as [FeedMessage, FeedMessage];
    const begun = fold(nothingSeen, snapshot);
    assert.equal(begun.isComplete, false);
    assert.equal(begun.cursor, undefined, 'half a snapshot is no place to go on from');
    const whole = fold(begun, boundary);
    assert.equal(whole.isComplete, true);
    assert.match(whole.cursor ?? '', /^[0-9a-f]{8}-1$/);
  });

  test('does not change what it was given', () => {
    let view = nothingSeen;
    for (const message of recorded) {
      const before = structuredClone(view);
      const next = fold(view, message);
      assert.deepEqual(view, before);
      view = next;
    }
  });

  test('keeps rows that have not changed as they are, so that they need not be drawn again', () => {
    const before = seen(heard);
    const job = [...before.jobs.values()][0];
    const after = fold(before, { kind: 'delta', cursor: 'x-1', at: before.at + 250, tallies: before.tallies });
    assert.equal(after.jobs, before.jobs);
    assert.equal(after.jobs.get(job?.id ?? 0), job);
  });

  test('drops what has gone', () => {
    const gone = heard.flatMap((message) => (message.kind === 'delta' ? (message.goneJobs ?? []) : []));
    assert.deepEqual(gone, [1]);
    assert.equal(seen(heard).jobs.has(1), false);
    assert.deepEqual(
      [...seen(heard).workers.values()].map(({ name }) => name),
      ['vm'],
    );
  });

  test('ignores a message that a newer server may send, and a change of a job of which nothing is known', () => {
    const before = seen(heard);
    assert.equal(fold(before, { kind: 'weather' } as unknown as FeedMessage), before);
    const {
      spec: _,
      pace: __,
      ...delta
    } = [...before.jobs.values()][0] as NonNullable<ReturnType<typeof before.jobs.get>>;
    const after = fold(before, {
      kind: 'delta',
      cursor: 'x-1',
      at: 1,
      tallies: before.tallies,
      jobs: [{ ...delta, id: 99 }],
    });
    assert.equal(after.jobs.has(99), false);
  });

  test('forgets the past of another farm, and keeps that of the same one over a new snapshot', () => {
    const before = seen(heard);
    const [snapshot] = fresh as [Extract<FeedMessage, { kind: 'snapshot' }>];
    const same = fold(before, snapshot);
    assert.ok(same.history.length >= before.history.length);
    const other = fold(before, { ...snapshot, farm: 'another' });
    assert.deepEqual(other.history, snapshot.history);
    assert.ok([...other.jobs.values()].every(({ pace }) => pace.length === 1));
  });

  test('counts each outcome once, also when the reader was away', () => {
    const { history, tallies } = seen(recorded);
    const first = history[0];
    const last = history.at(-1);
    assert.ok(first !== undefined && last !== undefined);
    assert.equal(last.ended - first.ended, tallies.done + tallies.failed);
  });

  test('counts the slots of those that are there', () => {
    const most = heard
      .map((_, i) => slotsOf(seen(heard.slice(0, i + 1)).workers.values()))
      .reduce((a, b) => (b.slots > a.slots ? b : a));
    assert.deepEqual({ slots: most.slots, present: most.present }, { slots: 2, present: 2 });
    const view = seen(heard);
    const [worker] = view.workers.values();
    assert.ok(worker !== undefined);
    assert.deepEqual(slotsOf([{ ...worker, state: 'lost', busy: 1 }]), { busy: 0, slots: 0, present: 0 });
    assert.ok([...view.jobs.values()].every(({ progress }) => hasEnded(progress.state)));
  });
});
