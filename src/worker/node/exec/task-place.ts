import { chmodSync, constants, mkdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SentFile } from '../../exec/exec-code.ts';
import { innerPath } from '../../exec/inner-path.ts';
import { giveTo, lendFiles, type TaskUser } from '../task-user.ts';

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
  readonly #user: TaskUser | undefined;

  constructor(parent: string, user: TaskUser | undefined) {
    this.#user = user;
    places += 1;
    this.root = join(parent, `command-${places}`);
    this.stdin = join(this.root, 'stdin');
    this.stdout = join(this.root, 'stdout');
    this.stderr = join(this.root, 'stderr');
    this.directory = join(this.root, 'files');
    mkdirSync(this.root);
    mkdirSync(this.directory);
    giveTo(user, this.directory);
    lendFiles(user, this.root, [this.stdout, this.stderr]);
  }

  /** Puts the files that the command reads where it looks for them. Copies: a cached file must not be changed. */
  async receive(files: readonly SentFile[], blobPath: (sha256: string) => string): Promise<void> {
    for (const { path, blob, executable } of files) {
      const inner = innerPath(path);
      if (inner === undefined) throw new Error(`the file ${path} was to be put outside of the command's directory`);
      const target = join(this.directory, inner);
      const folder = await mkdir(dirname(target), { recursive: true });
      if (folder !== undefined) giveTo(this.#user, ...foldersFrom(folder, dirname(target)));
      await copyFile(blobPath(blob.sha256), target, constants.COPYFILE_FICLONE);
      chmodSync(target, executable === true ? 0o755 : 0o644);
      giveTo(this.#user, target);
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

/** The folders that were made on the way from the first of them to the last. */
function foldersFrom(first: string, last: string): string[] {
  const folders = [last];
  for (let at = last; at !== first; at = dirname(at)) folders.push(dirname(at));
  return folders;
}
