import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Chunk, JobFacts, Runner, SlotEvent } from '../runner.ts';
import { Tally } from './tally.ts';

test('a tally counts slots that are busy, and tasks that have ended', () => {
  const asked: string[] = [];
  const note = (what: string) => (): void => void asked.push(what);
  const runner: Runner = {
    startSlot: note('start'),
    runChunk: note('run'),
    abortChunk: note('abort'),
    killSlot: note('kill'),
    forgetJob: note('forget'),
  };
  const tally = new Tally(runner);
  const run = (slot: number): void => tally.runChunk(slot, {} as Chunk, {} as JobFacts);
  const hear = (event: object): void => tally.note(event as SlotEvent);
  assert.deepEqual(tally.figures, { busy: 0, done: 0 });
  run(0);
  run(0);
  run(1);
  assert.deepEqual(tally.figures, { busy: 2, done: 0 });
  hear({ kind: 'chunkStarted', slot: 0, chunk: 1 });
  hear({ kind: 'chunkDone', slot: 0, chunk: 1, done: 40 });
  hear({ kind: 'chunkReturned', slot: 1, chunk: 3 });
  assert.deepEqual(tally.figures, { busy: 1, done: 40 });
  hear({ kind: 'slotDied', slot: 0 });
  assert.deepEqual(tally.figures, { busy: 0, done: 40 });
  tally.startSlot(0);
  tally.abortChunk(0, 1);
  tally.killSlot(0);
  tally.forgetJob(1);
  assert.deepEqual(asked, ['run', 'run', 'run', 'start', 'abort', 'kill', 'forget']);
});
