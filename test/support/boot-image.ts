import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { BootFarm } from './boot-farm.ts';
import type { Cleanup } from './cleanup.ts';
import { repository, temporaryDirectory } from './directories.ts';

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

/** The image as the page /boot makes it for this farm, fetched as a browser does. */
export async function fetchIso(t: Cleanup, farm: BootFarm, arch: Arch): Promise<string> {
  const { downloads } = await farm.ask<{ downloads: { architecture: Arch; path: string; bytes: number }[] }>(
    'POST',
    '/v1/boot/images',
    { allow: ['exec'] },
  );
  const made = downloads.find(({ architecture }) => architecture === arch);
  assert.ok(made !== undefined);
  const bytes = Buffer.from(await (await fetch(new URL(made.path, farm.url))).arrayBuffer());
  assert.equal(bytes.length, made.bytes);
  const iso = path.join(temporaryDirectory(t, 'iso'), 'worker.iso');
  writeFileSync(iso, bytes);
  return iso;
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
