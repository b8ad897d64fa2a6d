import { StoreError } from '../store.ts';

/** Primary result codes of SQLite that mean something to the caller. */
const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;

/**
 * What an error of the database means. Everything that is not known to be harmless is `broken`: after a failed sync the
 * kernel may have dropped the pages, so a second try would only seem to work (F-22).
 */
export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const cause = error as { code?: string; errcode?: number; message?: string };
  const message = `${cause.message ?? String(error)}${cause.errcode === undefined ? '' : ` (SQLite ${cause.errcode})`}`;
  // A number that no row of ours holds, or a record that is not the JSON that was written (D16).
  if (cause.code === 'ERR_OUT_OF_RANGE' || error instanceof SyntaxError) {
    return new StoreError('damaged', `the database is damaged: ${message}`, { cause: error });
  }
  if (cause.code === 'ENOSPC') return new StoreError('full', `no room on the disk: ${message}`, { cause: error });
  switch ((cause.errcode ?? 0) & 0xff) {
    case FULL:
      return new StoreError('full', `no room on the disk: ${message}`, { cause: error });
    case BUSY:
    case LOCKED:
      return new StoreError('busy', `the database is busy: ${message}`, { cause: error });
    case CORRUPT:
    case NOT_A_DATABASE:
      return new StoreError('damaged', `the database is damaged: ${message}`, { cause: error });
    default:
      return new StoreError('broken', `the store cannot go on: ${message}`, { cause: error });
  }
}
