import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { repository } from './directories.ts';

export type Arch = 'x64' | 'arm64';

export interface BootImage {
  readonly folder: string;
  readonly manifest: {
    readonly version: string;
    readonly protocol: number;
    readonly architecture: Arch;
    readonly configOffset: number;
    readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
  };
}

/** Builds the image as a person does, only with less compression, into a folder for tests. */
export function buildImage(arch: Arch): BootImage {
  const out = path.join(repository, 'os/cache/test');
  const { status, stdout, stderr } = spawnSync(
    'make',
    ['-C', 'os', 'os-image', `ARCH=${arch}`, 'FAST=1', `OUT=${out}`],
    {
      cwd: repository,
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(`make os-image failed (${status}):\n${stdout}${stderr}`);
  const folder = path.join(out, arch);
  return { folder, manifest: JSON.parse(readFileSync(path.join(folder, 'image.json'), 'utf8')) };
}

/** For the options of a test: skips it where a program or file is missing, and says which; with CI set, it fails instead. */
export function bootNeeds(...things: string[]): { skip?: string } {
  if (process.env['CI'] === 'true') return {};
  const isThere = (thing: string): boolean =>
    thing.includes('/')
      ? existsSync(thing)
      : (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, thing)));
  const missing = things.filter((thing) => !isThere(thing));
  return missing.length === 0 ? {} : { skip: `needs ${missing.join(' and ')}` };
}
