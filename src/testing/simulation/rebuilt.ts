import type { BlockRecord } from '../../model/job.ts';
import { hasEnded } from '../../model/job.ts';
import type { MemoryDisk } from '../../store/memory/memory-disk.ts';
import type { Recovered } from '../../store/store.ts';

/** What a server that starts now would read, without touching anything. */
export function recoveredFrom(disk: MemoryDisk): Recovered {
  const open = [...disk.jobs].filter(([, job]) => !hasEnded(job.progress.state)).sort(([a], [b]) => a - b);
  const ids = new Set(open.map(([id]) => id));
  const blocks = open.flatMap(([, job]): BlockRecord[] =>
    [...job.blocks.values()].filter(({ epoch }) => epoch !== 0).sort((a, b) => a.first - b.first),
  );
  return {
    jobs: open.map(([id, { spec, progress, claimedTo }]) => ({ id, spec, progress, claimedTo })),
    blocks: blocks.map((block) => ({ ...block, epoch: disk.epoch })),
    leases: [...disk.leases.values()].filter(({ job }) => ids.has(job)).sort((a, b) => a.lease - b.lease),
    forgetting: [],
  };
}
