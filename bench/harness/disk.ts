import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const IN_MEMORY = new Set([0x01021994, 0x858458f6]); // tmpfs, ramfs

/** Where a measured server keeps its data: a real disk, or there is nothing to measure. */
export function realDirectory(): string {
  const home = process.env['MANYHANDS_BENCH_DIR'] ?? os.tmpdir();
  if (IN_MEMORY.has(statfsSync(home).type)) {
    throw new Error(`${home} is in memory, so a sync costs nothing there; set MANYHANDS_BENCH_DIR to a real disk`);
  }
  return mkdtempSync(path.join(home, 'manyhands-bench-'));
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}
