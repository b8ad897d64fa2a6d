import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { BLOB_CACHE_FOLDERS } from '../../model/blob-limits.ts';
import { isLeftBehind, takeDirectory } from './owner.ts';

/** Where a worker has its files. */
export interface WorkerDirectories {
  /** All of them that go with the worker. */
  readonly own: string;
  /** Holds the directories of tasks, which cannot see it. */
  readonly root: string;
  /** Task modules, by their hash. */
  readonly code: string;
  readonly blobs: string;
  /** The blobs in it are of use to the next worker. */
  readonly keepsBlobs: boolean;
  /** Removes what is of no use any more. */
  clean(): void;
}

const PREFIX = 'manyhands-worker-';

/** `cache`: where code and blobs are kept when this worker is gone. What killed workers left behind is removed meanwhile. */
export function openDirectories(cache: string | undefined): WorkerDirectories {
  removeLeftovers();
  const own = realpathSync(mkdtempSync(join(os.tmpdir(), PREFIX)));
  const owned = takeDirectory(own);
  if (cache !== undefined) mkdirSync(cache, { recursive: true });
  const kept = cache === undefined ? undefined : realpathSync(cache);
  const folder = kept === undefined ? undefined : takeFolder(kept);
  const directories = {
    root: join(own, 'tasks'),
    code: kept ?? join(own, 'code'),
    blobs: folder?.path ?? join(own, 'blobs'),
  };
  for (const directory of Object.values(directories)) mkdirSync(directory, { recursive: true });
  return {
    own,
    ...directories,
    keepsBlobs: folder !== undefined,
    clean() {
      folder?.release();
      owned?.release();
      rmSync(own, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** The first folder for blobs that no other worker has: what one evicts another may be reading. */
function takeFolder(cache: string): { path: string; release: () => void } | undefined {
  for (let number = 1; number <= BLOB_CACHE_FOLDERS; number++) {
    const path = join(cache, number === 1 ? 'blobs' : `blobs-${number}`);
    mkdirSync(path, { recursive: true });
    const taken = takeDirectory(path);
    if (taken !== undefined) return { path, release: taken.release };
  }
  return undefined;
}

function removeLeftovers(): void {
  for (const name of readdirSync(os.tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const left = join(os.tmpdir(), name);
    if (isLeftBehind(left)) void rm(left, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
  }
}
