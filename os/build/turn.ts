import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cache } from './places.ts';

/** Milliseconds between two looks at whether another build has ended. */
const LOOK = 200;

const file = path.join(cache, 'in-use');

/** Waits until no other build uses the cache: two that download the same would write into each other's files. */
export async function inTurn(work: () => Promise<void> | void): Promise<void> {
  mkdirSync(cache, { recursive: true });
  let hasSaid = false;
  while (!take()) {
    if (!hasSaid) console.log('os: another build is under way; this one goes on when that has ended');
    hasSaid = true;
    await sleep(LOOK);
  }
  try {
    await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // Left behind by a build that was killed.
    if (!isAlive(Number(ownerOf()))) rmSync(file, { force: true });
    return false;
  }
}

/** Empty: it is being written, or is gone by now. */
function ownerOf(): string {
  try {
    return readFileSync(file, 'utf8') || String(process.pid);
  } catch {
    return String(process.pid);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
