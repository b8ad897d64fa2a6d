import assert from 'node:assert/strict';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

interface Segment {
  readonly generation: number;
  readonly failed: number;
  readonly runs: readonly { readonly start: number; readonly count: number }[];
}

interface Progress {
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly generation: number;
}

/**
 * Reads what lies on the disk of a server that has ended, without a line of its code: of each job no task may be recorded
 * twice in one generation, and the counts must be those of the records. Returns how many outcomes there are.
 */
export function checkRecords(dataDir: string): number {
  const db = new DatabaseSync(path.join(dataDir, 'manyhands.db'), { readOnly: true });
  let outcomes = 0;
  const jobs = db.prepare('SELECT job, record FROM progress').all() as { job: number; record: string }[];
  const segments = db.prepare('SELECT record FROM segments WHERE job = ? ORDER BY id');
  for (const { job, record } of jobs) {
    const progress = JSON.parse(record) as Progress;
    const recorded = new Set<string>();
    let failed = 0;
    for (const row of segments.all(job) as { record: string }[]) {
      const { generation, runs, failed: failures } = JSON.parse(row.record) as Segment;
      for (const { start, count } of runs) {
        for (let index = start; index < start + count; index++) {
          const name = `${generation}/${index}`;
          assert.ok(!recorded.has(name), `task ${index} of job ${job} was recorded twice`);
          recorded.add(name);
        }
      }
      failed += failures;
    }
    assert.equal(progress.done + progress.failed, recorded.size, `the outcomes of job ${job}`);
    assert.equal(progress.failed, failed, `the failures of job ${job}`);
    assert.ok(progress.done + progress.failed + progress.cancelled <= progress.total, `the tasks of job ${job}`);
    outcomes += recorded.size;
  }
  const [checked] = db.prepare('PRAGMA integrity_check').all() as { integrity_check: string }[];
  assert.equal(checked?.integrity_check, 'ok');
  db.close();
  return outcomes;
}
