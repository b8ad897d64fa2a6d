import { chmodSync, constants, mkdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SentFile } from '../../exec/exec-code.ts';
import { innerPath } from '../../exec/inner-path.ts';

let places = 0;

/** Where one command finds and leaves things: a fresh directory, which goes with it. */
export class TaskPlace {
  /** Everything of the task; programs make their temporary files here. */
  readonly root: string;
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Where the command runs, unless it is told another. */
  readonly directory: string;

  constructor(parent: string) {
    places += 1;
    this.root = join(parent, `command-${places}`);
    this.stdin = join(this.root, 'stdin');
    this.stdout = join(this.root, 'stdout');
    this.stderr = join(this.root, 'stderr');
    this.directory = join(this.root, 'files');
    mkdirSync(this.root);
    mkdirSync(this.directory);
  }

  /** Puts the files that the command reads where it looks for them. Copies: a cached file must not be changed. */
  async receive(files: readonly SentFile[], blobPath: (sha256: string) => string): Promise<void> {
    for (const { path, blob, executable } of files) {
      const inner = innerPath(path);
      if (inner === undefined) throw new Error(`the file ${path} was to be put outside of the command's directory`);
      const target = join(this.directory, inner);
      await mkdir(dirname(target), { recursive: true });
      await copyFile(blobPath(blob.sha256), target, constants.COPYFILE_FICLONE);
      chmodSync(target, executable === true ? 0o755 : 0o644);
    }
  }

  /** Usually there is nothing left but what it was made of, which is gone at once. */
  clean(): void {
    try {
      unlinkSync(this.stdout);
      unlinkSync(this.stderr);
      rmdirSync(this.directory);
      rmdirSync(this.root);
    } catch {
      rm(this.root, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
    }
  }
}
