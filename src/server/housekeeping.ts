import type { Logger } from 'pino';
import { hasEnded } from '../model/job.ts';
import { BLOB_GRACE, HOUSEKEEPING_INTERVAL, PAGE_ROWS_MAX } from '../model/limits.ts';
import type { Core } from './core.ts';
import type { Feed } from './feed.ts';
import { collectBlobs } from './garbage.ts';

/** Now and then forgets ended jobs older than `keep`, and blobs that no job refers to once their grace has passed. */
export function startHousekeeping(core: Core, feed: Feed, log: Logger, keep: number | undefined): () => Promise<void> {
  let stopped = false;
  let round: Promise<void> = Promise.resolve();
  const isStopped = () => stopped;
  const timer = setInterval(() => {
    round = round
      .then(async () => {
        if (keep !== undefined) await forgetOldJobs(core, feed, Date.now() - keep, isStopped);
        await collectBlobs(core, Date.now() - BLOB_GRACE, isStopped);
      })
      .catch((error: unknown) => log.warn({ err: error }, 'housekeeping failed and will be tried again'));
  }, HOUSEKEEPING_INTERVAL);
  timer.unref();
  return async () => {
    stopped = true;
    clearInterval(timer);
    await round;
  };
}

async function forgetOldJobs(core: Core, feed: Feed, endedBefore: number, stopped: () => boolean): Promise<void> {
  for (let before = Number.MAX_SAFE_INTEGER; !stopped(); ) {
    const jobs = await core.store.listJobs({ before, limit: PAGE_ROWS_MAX, states: ['done', 'failed', 'cancelled'] });
    for (const { id, progress } of jobs) {
      if (stopped()) return;
      if (!hasEnded(progress.state) || (progress.endedAt ?? Number.MAX_SAFE_INTEGER) >= endedBefore) continue;
      await core.act(id, 'forget');
      feed.dropJob(id);
    }
    const last = jobs.at(-1);
    if (last === undefined || jobs.length < PAGE_ROWS_MAX) return;
    before = last.id;
  }
}
