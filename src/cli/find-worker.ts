import type { WorkerView } from '../model/feed.ts';
import type { Api } from './api.ts';
import { UsageError } from './errors.ts';
import { printable } from './output/printable.ts';

/** The worker that is meant by its id, by the beginning of it, or by its name where no other bears it. */
export async function findWorker(text: string, api: Api): Promise<string> {
  const { workers } = await api.get<{ workers: WorkerView[] }>('v1/workers');
  const here = workers.filter(({ state }) => state !== 'lost');
  if (workers.some(({ id }) => id === text)) return text;
  const named = here.filter(({ name }) => name === text);
  const meant = named.length > 0 ? named : here.filter(({ id }) => id.startsWith(text));
  const [only, ...others] = meant;
  if (only === undefined) throw new UsageError(`there is no worker ${text}: "manyhands workers" lists them`);
  if (others.length === 0) return only.id;
  const ids = meant.map(({ id, name }) => `${id} (${printable(name)})`).join(', ');
  throw new UsageError(`${text} could be any of ${ids}: give more of its id`);
}
