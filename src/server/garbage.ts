import { PAGE_ROWS_MAX } from '../model/limits.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { Store } from '../store/store.ts';

/** Deletes blobs that no job refers to and that have not been used since `olderThan`, a wall clock time (D9). */
export async function collectBlobs(
  { store, blobs }: { readonly store: Store; readonly blobs: BlobStore },
  olderThan: number,
  stopped: () => boolean,
): Promise<void> {
  let candidates: string[] = [];
  const sweep = async () => {
    // Whoever is about to refer to one has made it young again meanwhile (F-27).
    for (const sha256 of await store.unreferenced(candidates)) await blobs.delete(sha256, olderThan);
    candidates = [];
  };
  for await (const sha256 of blobs.list(olderThan)) {
    if (stopped()) return;
    candidates.push(sha256);
    if (candidates.length >= PAGE_ROWS_MAX) await sweep();
  }
  if (candidates.length > 0) await sweep();
}
