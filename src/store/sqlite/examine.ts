import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { WHOLE_CHECK_BYTES } from '../../model/limits.ts';
import { StoreError } from '../store.ts';
import { DATABASE_FILE, LOCK_FILE, openDatabase } from './database.ts';

/** `wrong`: the sentence that a server would end with. */
export type DataState =
  | { readonly is: 'missing' | 'whole' | 'large' }
  | { readonly is: 'held'; readonly pid: number }
  | { readonly is: 'wrong'; readonly words: string };

/**
 * Whether a server could open the data of a directory. Looking into a database writes beside it, and into it where its log
 * was left, so a copy is looked into; one that would take long to copy and check is left to the server.
 */
export function examineData(dir: string): DataState {
  const file = path.join(dir, DATABASE_FILE);
  if (!existsSync(file)) return { is: 'missing' };
  const pid = holderOf(dir);
  if (pid !== undefined) return { is: 'held', pid };
  const log = `${file}-wal`;
  const size = statSync(file).size + (statSync(log, { throwIfNoEntry: false })?.size ?? 0);
  if (size > WHOLE_CHECK_BYTES) return { is: 'large' };
  const copy = mkdtempSync(path.join(os.tmpdir(), 'manyhands-doctor-'));
  try {
    copyFileSync(file, path.join(copy, DATABASE_FILE));
    if (existsSync(log)) copyFileSync(log, path.join(copy, `${DATABASE_FILE}-wal`));
    openDatabase(copy).close();
    return { is: 'whole' };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { is: 'wrong', words: error.message.replaceAll(copy, dir) };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The process that wrote the lock's file, if it lives: copied under its hands the data would look damaged. */
function holderOf(dir: string): number | undefined {
  let pid: number | undefined;
  try {
    ({ pid } = JSON.parse(readFileSync(path.join(dir, LOCK_FILE), 'utf8')) as { pid: number });
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? pid : undefined;
  }
}
