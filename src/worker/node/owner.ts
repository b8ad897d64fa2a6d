import { randomBytes } from 'node:crypto';
import {
  existsSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { OWNER_SIGN, OWNER_SILENCE } from '../../model/blob-limits.ts';

/** The process that a directory belongs to. Numbers of processes are given again, so that its start is told too. */
interface Owner {
  readonly pid: number;
  readonly started: string;
  /** Where that number means this process: the machine, and on Linux the space of processes in it. */
  readonly place: string;
}

const FILE = 'owner';

/** Takes a directory that nobody owns, or that a dead process owned. Undefined: another has it. */
export function takeDirectory(directory: string): { release(): void } | undefined {
  const file = join(directory, FILE);
  if (!writeOwner(file) && !(removeDead(file) && writeOwner(file))) return undefined;
  // A process of another machine, or of another container, can only see that the file is touched.
  const timer = setInterval(() => touch(file), OWNER_SIGN);
  timer.unref();
  return {
    release() {
      clearInterval(timer);
      rmSync(file, { force: true });
    },
  };
}

/** Whether the directory was left behind by a process that is gone. One without an owner is just being made. */
export function isLeftBehind(directory: string): boolean {
  const file = join(directory, FILE);
  return existsSync(file) && isDead(file);
}

function writeOwner(file: string): boolean {
  const owner: Owner = { pid: process.pid, started: startOf(process.pid), place: place() };
  try {
    writeFileSync(file, JSON.stringify(owner), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

/** By renaming it first: of two that find the same dead owner, one takes what the other has just written, and puts it back. */
function removeDead(file: string): boolean {
  if (!isDead(file)) return false;
  const aside = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    renameSync(file, aside);
  } catch {
    return true;
  }
  const wasDead = isDead(aside);
  if (wasDead) rmSync(aside, { force: true });
  else renameSync(aside, file);
  return wasDead;
}

function isDead(file: string): boolean {
  const owner = readOwner(file);
  if (owner?.place === place()) return !lives(owner);
  const touchedAt = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Date.now() - touchedAt > OWNER_SILENCE;
}

function readOwner(file: string): Owner | undefined {
  try {
    const { pid, started, place: where } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Owner>;
    if (!Number.isSafeInteger(pid) || typeof started !== 'string' || typeof where !== 'string') return undefined;
    return { pid: pid as number, started, place: where };
  } catch {
    return undefined;
  }
}

function lives({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return startOf(pid) === started;
}

/** When it was started, in ticks since the boot; empty where the system does not tell. */
function startOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

let here: string | undefined;

function place(): string {
  here ??= `${os.hostname()} ${readBoot()} ${readSpace()}`;
  return here;
}

/** Another boot is another place: then the file's age decides, and the ticks of two boots are never compared. */
function readBoot(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}

function readSpace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function touch(file: string): void {
  const now = Date.now() / 1_000;
  try {
    utimesSync(file, now, now);
  } catch {
    // The directory is gone, and with it the reason.
  }
}
