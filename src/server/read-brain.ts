import { Scheduler } from '../scheduler/scheduler.ts';
import type { Recovered, Store } from '../store/store.ts';
import type { Clock } from './clock.ts';
import type { Brain } from './loop.ts';

/** The one way to begin, and to begin again: from the store, under a new epoch (D1, D2). */
export async function readBrain(store: Store, clock: Clock): Promise<Brain & { readonly recovered: Recovered }> {
  const epoch = await store.start();
  const recovered = await store.recover(epoch);
  const now = clock.now();
  const wallOffset = clock.wall() - now;
  return {
    scheduler: new Scheduler({ epoch, now, wallOffset, recovered, shared: store.shared !== undefined }),
    epoch,
    recovered,
  };
}
