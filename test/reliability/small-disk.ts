import { execFileSync } from 'node:child_process';
import { appendFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';
import { temporaryDirectory } from '../support/directories.ts';

/** A file system of its own with little room, which can be filled to the last byte. Needs root. */
export class SmallDisk {
  readonly directory: string;

  constructor(t: Cleanup, size: string) {
    this.directory = temporaryDirectory(t, 'disk');
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'manyhands-test', this.directory]);
    cleanUp(t, () => execFileSync('umount', ['--lazy', this.directory]));
  }

  /** Takes what room there is, in ever smaller pieces. */
  fill(): void {
    for (const size of [1 << 20, 1 << 12, 1 << 6, 1]) {
      try {
        for (;;) appendFileSync(this.#filler, Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  get #filler(): string {
    return path.join(this.directory, 'filler');
  }
}
