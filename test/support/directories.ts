import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Cleanup, cleanUp } from './cleanup.ts';

/** The repository's root. */
export const repository = path.join(import.meta.dirname, '..', '..');

/** A new empty directory that is removed when the test ends. */
export function temporaryDirectory(t: Cleanup, name = 'test'): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), `manyhands-${name}-`));
  // Retries, because a process that was just killed may still be letting go of its files.
  cleanUp(t, () => rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }));
  return directory;
}
