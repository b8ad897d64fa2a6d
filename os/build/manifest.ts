import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { PROTOCOL } from '../../src/protocol/version.ts';
import { formatBootConfig } from '../../src/server/boot/boot-config.ts';
import { BuildFailure } from './failure.ts';
import { sha256Of } from './lock.ts';
import { type Arch, outputOf } from './places.ts';
import { writeWhole } from './whole-file.ts';

const FILES = ['vmlinuz', 'initrd', 'worker.iso'];

/** Writes what a server wants to know of the images, `image.json`, and the sums for people. */
export function writeManifest(arch: Arch, version: string): void {
  const output = outputOf(arch);
  const all = FILES.filter((name) => existsSync(path.join(output, name))).map((name) => {
    const bytes = readFileSync(path.join(output, name));
    return { name, bytes, sha256: sha256Of(bytes) };
  });
  const iso = all.find(({ name }) => name === 'worker.iso');
  const manifest = {
    version,
    protocol: PROTOCOL,
    architecture: arch,
    ...(iso !== undefined && { configOffset: placeOfConfig(iso.bytes) }),
    files: Object.fromEntries(all.map(({ name, bytes, sha256 }) => [name, { bytes: bytes.length, sha256 }])),
  };
  writeWhole(path.join(output, 'image.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  writeWhole(path.join(output, 'SHA256SUMS'), all.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join(''));
}

/** Where the configuration without a server lies, whole, in the one place that there is. */
function placeOfConfig(iso: Buffer): number {
  const config = formatBootConfig({ server: [] });
  const place = iso.indexOf(config);
  if (place < 0 || iso.indexOf(config, place + 1) >= 0)
    throw new BuildFailure('worker.iso does not have its configuration in exactly one place');
  return place;
}
