import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDisk } from '../store/memory/memory-disk.ts';
import { MemoryStore } from '../store/memory/memory-store.ts';
import { aJob, aSegment, progressOf } from '../testing/store-records.ts';
import { JobReaders } from './job-readers.ts';
import type { RequestError } from './requests.ts';

/** A reader of a job with two segments, which has read the first. */
async function halfRead() {
  const disk = new MemoryDisk('memory', () => 1_000);
  const store = new MemoryStore(disk);
  const epoch = await store.start();
  const job = await store.nextJobId();
  const before = disk.copy();
  await store.commit([aJob(job), aSegment(job, 1, 0, 1), aSegment(job, 2, 1, 1)], epoch);
  const readers = new JobReaders(store);
  readers.began(0, []);
  const told: string[] = [];
  const progress = { ...progressOf({ total: 9 }), segments: 2 };
  const known = { id: job, spec: (await store.readJob(job))?.spec as never, progress };
  const query = { order: 'completion', after: 0, credit: 1, defined: false } as const;
  const stream = readers.open(known, query, {
    batch: ({ segment }, cursor) => told.push(`segment ${segment.seq}, cursor ${cursor}`),
    mark: () => {},
    end: () => told.push('end'),
    failed: (error) => told.push((error as RequestError).message),
  });
  stream.pump();
  await settled();
  assert.deepEqual(told, ['segment 1, cursor 1']);
  return { disk, store, before, readers, stream, told };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('D25 who reads while its server begins again after a loss hears of the loss, not that the job was forgotten', async () => {
  const { disk, store, before, readers, stream, told } = await halfRead();
  disk.failOver(before);
  await store.start();
  stream.addCredit(100);
  await settled();
  readers.began(1, []);
  assert.equal(told.length, 2);
  assert.match(told[1] as string, /^the database may have lost .*: read them again from the start$/);
});

test('a reader of a job that is forgotten under it is told that', async () => {
  const { disk, stream, told } = await halfRead();
  disk.jobs.clear();
  stream.addCredit(100);
  await settled();
  assert.match(told[1] as string, /was forgotten while its results were read/);
});
