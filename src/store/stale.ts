import type { JobId } from '../model/ids.ts';
import { hasEnded, type JobProgress } from '../model/job.ts';
import type { Write } from '../model/records.ts';
import { StoreError } from './store.ts';

/** Of whom it is something new, and of which generation, where it says so. */
export function newsOf(write: Write): { readonly job: JobId; readonly generation?: number } | undefined {
  switch (write.kind) {
    case 'segment':
      return write.segment;
    case 'block':
    case 'blockFreed':
    case 'handedOver':
      return write.block;
    case 'lease':
      return { job: write.lease.job };
    case 'inputs':
      return { job: write.job };
    case 'progress':
      return { job: write.job, generation: write.progress.generation };
    default:
      return undefined;
  }
}

/** Something new for a job that is not any more what its writer knows of it (D19). `group`: all that is written together. */
export function refuseStale(
  write: Write,
  group: readonly Write[],
  stored: { readonly progress: JobProgress; readonly inputsEnd: number },
): void {
  const news = newsOf(write);
  if (news === undefined) return;
  const { job, generation } = news;
  const { progress, inputsEnd } = stored;
  if (generation !== undefined && generation < progress.generation)
    throw new StoreError('stale', `the failed tasks of job ${job} were opened again by another server`);
  if (write.kind !== 'progress' && hasEnded(progress.state))
    throw new StoreError('stale', `job ${job} was ended by another server`);
  if (write.kind === 'inputs' && write.anywhere !== true && write.first < inputsEnd && grows(job, group))
    throw new StoreError('stale', `inputs from ${write.first} on of job ${job} were written by another server`);
}

/** It would count inputs that others have counted already. */
function grows(id: JobId, group: readonly Write[]): boolean {
  return group.some((write) => write.kind === 'progress' && write.job === id && (write.change?.counted.total ?? 0) > 0);
}
