import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BuildFailure } from './failure.ts';
import { type Arch, os } from './places.ts';

/** One file that goes into an image, named so that the machine's own apt or npm finds it. */
export interface Input {
  readonly name: string;
  readonly version: string;
  /** Of the file that is downloaded. */
  readonly sha256: string;
}

/** What an image is made of, beside this repository. */
export interface Lock {
  /** The Debian release that the packages are of. */
  readonly debian: string;
  readonly inputs: Readonly<
    Record<Arch, { readonly kernel: Input; readonly debian: readonly Input[]; readonly npm: Input }>
  >;
}

const file = path.join(os, 'inputs.lock');

export function readLock(): Lock {
  return JSON.parse(readFileSync(file, 'utf8')) as Lock;
}

export function writeLock(lock: Lock): void {
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function checkInput({ name, version, sha256 }: Input, downloaded: string): void {
  const found = sha256Of(readFileSync(downloaded));
  if (found === sha256) return;
  throw new BuildFailure(
    `${name} ${version} is not what inputs.lock says: its SHA-256 is ${found}, not ${sha256}. Remove ${downloaded} and try again; if that does not help, the package was changed under its name`,
  );
}
