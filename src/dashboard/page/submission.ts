import type { JobView } from '../../model/feed.ts';
import { hasEnded } from '../../model/job.ts';
import { PAGE_UPLOAD_CHARACTERS } from '../../model/result-limits.ts';
import type { InputLines, RangeInputs } from '../inputs.ts';
import type { Api } from './api.ts';

/** A job as a page submits it. */
export interface Order {
  readonly name: string;
  readonly code: string;
  readonly inputs: InputLines | RangeInputs;
  /** The same for every try of the same, so that it is one job. */
  readonly key: string;
}

/** Submits a job and gives its number; tells how many inputs the server has. Throws what the server says. */
export async function submit(api: Api, order: Order, told: (inputs: number) => void): Promise<number> {
  const { name, code, inputs, key } = order;
  const about = { name, code, sourceName: 'pasted.js', idempotencyKey: key };
  if ('count' in inputs) return numberOf(await api.post('/v1/jobs', { ...about, range: inputs }));
  const job = numberOf(await api.post('/v1/jobs', { ...about, open: true }));
  try {
    for (let from = 0; from < inputs.length; ) {
      const until = endOfPart(inputs, from);
      const lines = `${inputs.slice(from, until).join('\n')}\n`;
      await api.ask(`/v1/jobs/${job}/inputs?from=${from}`, { method: 'POST', lines });
      from = until;
      told(from);
    }
    await api.post(`/v1/jobs/${job}/close`, { total: inputs.length });
  } catch (error) {
    // A job whose first tasks all failed may have ended before its last inputs came: its page says so.
    const { progress } = await api.json<JobView>(`/v1/jobs/${job}`);
    if (!hasEnded(progress.state)) {
      await api.post(`/v1/jobs/${job}/cancel`);
      throw error;
    }
  }
  return job;
}

function numberOf(job: JobView | undefined): number {
  if (job === undefined) throw new Error('the server did not say which job it is');
  return job.id;
}

/** As many as are sent at once, and one at least. */
function endOfPart(inputs: InputLines, from: number): number {
  let until = from;
  for (let length = 0; until < inputs.length; until++) {
    length += (inputs[until] as string).length;
    if (length > PAGE_UPLOAD_CHARACTERS && until > from) return until;
  }
  return until;
}
