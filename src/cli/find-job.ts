import type { Api } from './api.ts';
import { UsageError } from './errors.ts';

/** A job's number, or `last` for the newest one. */
export async function findJob(text: string, api: Api): Promise<number> {
  if (text === 'last') {
    const { jobs } = await api.get<{ jobs: { id: number }[] }>('v1/jobs?limit=1');
    const [newest] = jobs;
    if (newest === undefined) throw new UsageError('there is no job yet');
    return newest.id;
  }
  const id = /^\d+$/.test(text) ? Number(text) : 0;
  if (!Number.isSafeInteger(id) || id < 1) throw new UsageError(`"${text}" is not a job: give its number, or last`);
  return id;
}
