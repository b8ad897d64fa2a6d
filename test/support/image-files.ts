import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { PROTOCOL } from '../../src/protocol/version.ts';
import type { Cleanup } from './cleanup.ts';
import { temporaryDirectory } from './directories.ts';

/** Where the configuration stands in what {@link bootImage} makes. */
export const CONFIG_OFFSET = 70_000;

/** An image whose bytes are as good as any, for those who hand it out and do not look into it. */
export function imageFiles(t: Cleanup): { directory: string; iso: Buffer } {
  const directory = temporaryDirectory(t, 'boot');
  const iso = Buffer.alloc(200_000, 'manyhands ');
  mkdirSync(path.join(directory, 'x64'));
  const told = { version: '1.2.3', protocol: PROTOCOL, configOffset: CONFIG_OFFSET };
  for (const [name, bytes] of Object.entries({
    vmlinuz: 'a kernel',
    initrd: 'all files',
    'worker.iso': iso,
    'image.json': JSON.stringify(told),
  }))
    writeFileSync(path.join(directory, 'x64', name), bytes);
  mkdirSync(path.join(directory, 'arm64'));
  writeFileSync(path.join(directory, 'arm64', 'vmlinuz'), gzipSync('another kernel'));
  writeFileSync(path.join(directory, 'arm64', 'image.json'), JSON.stringify({ ...told, configOffset: undefined }));
  return { directory, iso };
}
