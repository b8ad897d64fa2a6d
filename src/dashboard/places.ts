import type { JobId, TaskIndex, WorkerId } from '../model/ids.ts';

/** What an address of this site shows. */
export type Place =
  | { readonly page: 'index' }
  | { readonly page: 'job'; readonly job: JobId }
  | { readonly page: 'task'; readonly job: JobId; readonly index: TaskIndex }
  | { readonly page: 'worker'; readonly worker: WorkerId }
  | { readonly page: 'run' }
  | { readonly page: 'join' }
  | { readonly page: 'boot' }
  | { readonly page: 'nowhere' };

export function placeOf(path: string): Place {
  if (path === '/') return { page: 'index' };
  if (path === '/run') return { page: 'run' };
  if (path === '/join') return { page: 'join' };
  if (path === '/boot') return { page: 'boot' };
  const [, job, index] = /^\/jobs\/([1-9]\d{0,15})(?:\/tasks\/(0|[1-9]\d{0,15}))?$/.exec(path) ?? [];
  if (index !== undefined) return { page: 'task', job: Number(job), index: Number(index) };
  if (job !== undefined) return { page: 'job', job: Number(job) };
  const [, worker] = /^\/workers\/([a-z2-7]{1,16})$/.exec(path) ?? [];
  return worker === undefined ? { page: 'nowhere' } : { page: 'worker', worker };
}

export function jobPath(job: JobId): string {
  return `/jobs/${job}`;
}

export function taskPath(job: JobId, index: TaskIndex): string {
  return `/jobs/${job}/tasks/${index}`;
}

export function workerPath(worker: WorkerId): string {
  return `/workers/${worker}`;
}
