import { readFileSync } from 'node:fs';
import os from 'node:os';

/** How many tasks this process may run at once: the CPUs that affinity and control groups leave it. */
export function defaultSlots(): number {
  // It knows affinity and, since libuv 1.49, the quota of the control group; the files are read for older ones.
  return Math.max(1, Math.min(os.availableParallelism(), Math.ceil(cpuQuota() ?? Infinity)));
}

/** Bytes of memory that may be used here: the machine's, or the control group's where that is less. */
export function availableMemory(): number {
  const limit = process.constrainedMemory();
  const total = os.totalmem();
  return limit > 0 && limit < total ? limit : total;
}

function cpuQuota(): number | undefined {
  const [quota, period] = read('/sys/fs/cgroup/cpu.max')?.split(' ') ?? [
    read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us'),
    read('/sys/fs/cgroup/cpu/cpu.cfs_period_us'),
  ];
  const cpus = Number(quota) / Number(period);
  return Number.isFinite(cpus) && cpus > 0 ? cpus : undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
