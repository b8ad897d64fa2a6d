import { accessSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { open, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { formatSize } from '../../model/size.ts';
import type { Finding } from '../commands/doctor.ts';

/** What statfs calls a file system that lives in memory. */
const MEMORY_FILE_SYSTEMS = new Set([0x01021994, 0x858458f6]);
/** Bytes of free room below which a server will soon refuse work. */
const LITTLE_ROOM = 1024 ** 3;
/** Milliseconds of one sync above which a farm is slow because of its disk. */
const SLOW_SYNC = 20;
const SYNCS = 20;

/** Whether a server can keep its data there, and how fast. Nothing is left behind. */
export async function* examineDisk(directory: string): AsyncGenerator<Finding> {
  const place = nearestExisting(directory);
  try {
    accessSync(place, constants.W_OK | constants.X_OK);
  } catch {
    const words = `${place} can't be written by this user: choose another with --data DIR, or change its owner`;
    yield { what: 'data directory', state: 'wrong', words };
    return;
  }
  const made = place === directory ? '' : ' (made by the first serve)';
  yield { what: 'data directory', state: 'ok', words: `${directory}${made}` };
  const { type, bavail, bsize } = await statfs(place);
  if (MEMORY_FILE_SYSTEMS.has(type)) {
    const words = `${place} lies in memory and is lost when this machine stops: choose a real disk with --data DIR`;
    yield { what: 'disk', state: 'wrong', words };
  }
  const free = bavail * bsize;
  if (free < LITTLE_ROOM) {
    const words = `only ${formatSize(free)} are free: make room, a server with a full disk refuses new work`;
    yield { what: 'disk', state: 'wrong', words };
  }
  yield syncFinding(await measureSync(place), free);
}

export function syncFinding(millis: number, free: number): Finding {
  const figures = `a sync takes ${millis < 1 ? millis.toFixed(2) : millis.toFixed(1)} ms, ${formatSize(free)} are free`;
  if (millis <= SLOW_SYNC) return { what: 'disk', state: 'ok', words: figures };
  const words = `${figures}: each single task waits that long; a solid state disk needs less than 5 ms`;
  return { what: 'disk', state: 'note', words };
}

/** The median of a few small writes that are forced to the disk, in milliseconds. */
async function measureSync(place: string): Promise<number> {
  const directory = mkdtempSync(join(place, '.manyhands-doctor-'));
  try {
    const file = await open(join(directory, 'sync'), 'w');
    const times: number[] = [];
    for (let i = 0; i < SYNCS; i++) {
      await file.write(Buffer.alloc(4096, i));
      const started = performance.now();
      await file.datasync();
      times.push(performance.now() - started);
    }
    await file.close();
    return times.sort((a, b) => a - b)[SYNCS / 2] as number;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function nearestExisting(directory: string): string {
  let place = directory;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  return place;
}
