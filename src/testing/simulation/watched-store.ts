import type { Epoch, JobId } from '../../model/ids.ts';
import type { Write } from '../../model/records.ts';
import type { MemoryDisk } from '../../store/memory/memory-disk.ts';
import { MemoryMember } from '../../store/memory/memory-member.ts';
import { MemoryStore } from '../../store/memory/memory-store.ts';
import type { ClaimedBlock, Recovered } from '../../store/store.ts';

/** A change that is on its way to the disk. */
export type Change =
  | { readonly verb: 'commit'; readonly writes: readonly Write[]; readonly epoch: Epoch }
  | { readonly verb: 'start' | 'recover' | 'nextJobId' | 'order' }
  /** `look`: a pulse that a hint asked for, which is no sign of life (D18). */
  | { readonly verb: 'pulse' | 'look' | 'takeOver'; readonly epoch: Epoch }
  | { readonly verb: 'claim'; readonly job: JobId; readonly epoch: Epoch }
  | { readonly verb: 'reopen' | 'forget'; readonly job: JobId };

/** The memory store, where each change is seen, delayed, refused or lost by `gate` on its way to the disk. */
export class WatchedStore extends MemoryStore {
  readonly #changes: Change[];

  /** `left`: it said goodbye to others that share the disk. */
  constructor(disk: MemoryDisk, gate: (change: Change, apply: () => void) => Promise<void>, left: () => void) {
    const changes: Change[] = [];
    super(disk, { commitGate: (apply) => gate(changes.shift() as Change, apply) });
    this.#changes = changes;
    if (this.shared instanceof MemoryMember) watch(this.shared, changes, left);
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
    this.#changes.push({ verb: 'claim', job, epoch });
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

function watch(shared: MemoryMember, changes: Change[], left: () => void): void {
  const close = shared.close.bind(shared);
  shared.close = () => {
    close();
    left();
  };
  const pulse = shared.pulse.bind(shared);
  const takeOver = shared.takeOver.bind(shared);
  const order = shared.order.bind(shared);
  shared.order = (to, text) => {
    changes.push({ verb: 'order' });
    return order(to, text);
  };
  shared.pulse = (epoch, facts) => {
    changes.push({ verb: facts === undefined ? 'look' : 'pulse', epoch });
    return pulse(epoch, facts);
  };
  shared.takeOver = (leases, epoch) => {
    changes.push({ verb: 'takeOver', epoch });
    return takeOver(leases, epoch);
  };
}
