import type { WorkerId } from '../model/ids.ts';

/** What a worker is called: by its name, and by a part of its id where others have the same name, or it has left. */
export function nameOfWorker(workers: ReadonlyMap<WorkerId, { readonly name: string }>, id: WorkerId): string {
  const known = workers.get(id);
  if (known === undefined) return id;
  for (const [other, { name }] of workers) if (other !== id && name === known.name) return `${name} ${id.slice(0, 4)}`;
  return known.name;
}
