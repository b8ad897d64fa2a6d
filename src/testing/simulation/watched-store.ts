import type { Epoch, JobId } from '../../model/ids.ts';
import type { Write } from '../../model/records.ts';
import type { MemoryDisk } from '../../store/memory/memory-disk.ts';
import { MemoryStore } from '../../store/memory/memory-store.ts';
import type { ClaimedBlock, Recovered } from '../../store/store.ts';

/** A change that is on its way to the disk. */
export type Change =
  | { readonly verb: 'commit'; readonly writes: readonly Write[]; readonly epoch: Epoch }
  | { readonly verb: 'start' | 'recover' | 'nextJobId' | 'claim' }
  | { readonly verb: 'reopen' | 'forget'; readonly job: JobId };

/** The memory store, where each change is seen, delayed, refused or lost by `gate` on its way to the disk. */
export class WatchedStore extends MemoryStore {
  readonly #changes: Change[];

  constructor(disk: MemoryDisk, gate: (change: Change, apply: () => void) => Promise<void>) {
    const changes: Change[] = [];
    super(disk, { commitGate: (apply) => gate(changes.shift() as Change, apply) });
    this.#changes = changes;
  }

  override start(): Promise<Epoch> {
    this.#changes.push({ verb: 'start' });
    return super.start();
  }

  override recover(epoch: Epoch): Promise<Recovered> {
    this.#changes.push({ verb: 'recover' });
    return super.recover(epoch);
  }

  override nextJobId(): Promise<JobId> {
    this.#changes.push({ verb: 'nextJobId' });
    return super.nextJobId();
  }

  override commit(writes: readonly Write[], epoch: Epoch): Promise<readonly Write[]> {
    this.#changes.push({ verb: 'commit', writes, epoch });
    return super.commit(writes, epoch);
  }

  override claim(job: JobId, max: number, epoch: Epoch): Promise<ClaimedBlock[]> {
    this.#changes.push({ verb: 'claim' });
    return super.claim(job, max, epoch);
  }

  override reopen(job: JobId): Promise<number> {
    this.#changes.push({ verb: 'reopen', job });
    return super.reopen(job);
  }

  override forget(job: JobId): Promise<boolean> {
    this.#changes.push({ verb: 'forget', job });
    return super.forget(job);
  }
}
