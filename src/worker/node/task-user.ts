import { chmodSync, chownSync, writeFileSync } from 'node:fs';

/**
 * The user that tasks run as, on a machine that is the worker's own and whose worker may give processes to others. What the
 * worker knows, such as its token, is then out of their reach, even of commands.
 */
export interface TaskUser {
  readonly uid: number;
  readonly gid: number;
}

/** A path that the worker has made becomes the tasks' own. */
export function giveTo(user: TaskUser | undefined, ...paths: string[]): void {
  if (user !== undefined) for (const path of paths) chownSync(path, user.uid, user.gid);
}

/** Tasks may go through a directory of the worker to what is theirs in it, and see nothing else of it. */
export function letThrough(user: TaskUser | undefined, directory: string): void {
  if (user !== undefined) chmodSync(directory, 0o711);
}

/**
 * Files that a task of another user writes and the worker reads: the task can neither remove them nor put a link in their
 * place, by which the worker would read for it what it may not.
 */
export function lendFiles(user: TaskUser | undefined, directory: string, files: readonly string[]): void {
  if (user === undefined) return;
  chmodSync(directory, 0o1777);
  for (const file of files) {
    writeFileSync(file, '');
    chmodSync(file, 0o666);
  }
}
