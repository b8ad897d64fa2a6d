import type { Epoch, LeaseId, WorkerId } from '../model/ids.ts';
import type { SharedStore } from '../store/store.ts';
import type { Loop } from './loop.ts';

/** Leases of another server, and the worker that is here with them. */
export interface Wanted {
  readonly worker: WorkerId;
  readonly leases: readonly LeaseId[];
}

/** What one server asks of another that lives (R39). */
interface HandOverOrder {
  readonly kind: 'handOver';
  readonly wanted: readonly Wanted[];
}

/** Asks those that hold these leases for them, by an order that they hear of at once. */
export async function askFor(shared: SharedStore, wanted: ReadonlyMap<Epoch, readonly Wanted[]>): Promise<void> {
  let isLeft = false;
  for (const [holder, some] of wanted) {
    const order: HandOverOrder = { kind: 'handOver', wanted: some };
    if (await shared.order(holder, JSON.stringify(order))) isLeft = true;
  }
  if (isLeft) shared.hint();
}

/** Does what such an order says; false: it is another one. `cut`: ends the connection that a worker still seems to have here. */
export function obeyHandOver(text: string, loop: Loop, cut: (worker: WorkerId) => void): boolean {
  const order = JSON.parse(text) as HandOverOrder | { readonly kind: 'other' };
  if (order.kind !== 'handOver') return false;
  for (const { worker, leases } of order.wanted) {
    const known = leases.filter((lease) => loop.scheduler?.jobOfLease(lease, worker) !== undefined);
    if (known.length === 0) continue;
    // It is with one server at a time. If it has come back here since, it does so once more, and gets back what it runs.
    cut(worker);
    loop.post({ kind: 'leasesWanted', worker, leases: known });
  }
  return true;
}
