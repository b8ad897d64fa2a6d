// Builds the image of one architecture: `make -C os os-image`, or `node os/build/image.ts [x64|arm64]`.
// In the environment, FAST=1 compresses less, and OUT=DIR puts it elsewhere: both for tests.
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { writeCpio } from '../../src/server/boot/cpio.ts';
import { Apt } from './apt.ts';
import { driverEntries } from './drivers.ts';
import { BuildFailure, runStep } from './failure.ts';
import { writeIso } from './iso.ts';
import { readLock } from './lock.ts';
import { writeManifest } from './manifest.ts';
import { nodeProgram } from './node-binary.ts';
import { type Arch, archFrom, outputOf, repository } from './places.ts';
import { programEntries } from './programs.ts';
import { rootEntries } from './root.ts';
import { requireTools } from './tools.ts';
import { inTurn } from './turn.ts';
import { writeWhole } from './whole-file.ts';

/** How hard zstd tries: the second takes a minute, and saves a fifth. */
const LEVEL = { fast: 3, release: 19 } as const;

async function buildImage(arch: Arch, isFast: boolean): Promise<void> {
  requireTools('apt-get', 'apt-cache', 'dpkg-deb', 'tar', 'npm', 'grub-mkimage', 'xorriso', 'mformat', 'mcopy');
  const { kernel: kernelPackage, debian, npm } = readLock().inputs[arch];
  const apt = new Apt(arch);
  const packages = (name: string): string => {
    const input = debian.find((each) => each.name === name);
    if (input === undefined) throw new BuildFailure(`inputs.lock has no package ${name}`);
    return apt.unpacked(input);
  };
  const folder = apt.unpacked(kernelPackage);
  const { release, entries } = driverEntries(folder);
  const { version } = JSON.parse(readFileSync(path.join(repository, 'package.json'), 'utf8')) as { version: string };
  const archive = writeCpio([
    ...rootEntries(arch, packages, nodeProgram(arch, npm)),
    ...entries,
    ...(await programEntries(version)),
  ]);
  const output = outputOf(arch);
  mkdirSync(output, { recursive: true });
  const files = { vmlinuz: path.join(output, 'vmlinuz'), initrd: path.join(output, 'initrd') };
  const kernel = readFileSync(path.join(folder, `boot/vmlinuz-${release}`));
  // That of ARM comes as it lies in memory, 33 MB; GRUB and QEMU unpack it, and for iPXE the server does.
  writeWhole(files.vmlinuz, arch === 'arm64' ? gzipSync(kernel, { level: isFast ? 1 : 9 }) : kernel);
  writeWhole(files.initrd, compress(archive, isFast));
  writeIso(arch, packages, files, path.join(output, 'worker.iso'));
  writeManifest(arch, version);
}

/** Bytes: an archive that is put behind this one is only found at a multiple of four. */
const ALIGNED = 512;

/** Written by Node itself, so that the same version of Node writes the same bytes. */
function compress(archive: Uint8Array, isFast: boolean): Uint8Array {
  const params = {
    [constants.ZSTD_c_compressionLevel]: isFast ? LEVEL.fast : LEVEL.release,
    [constants.ZSTD_c_checksumFlag]: 1,
  };
  const compressed = zstdCompressSync(archive, { params });
  return Buffer.concat([compressed, new Uint8Array((ALIGNED - (compressed.length % ALIGNED)) % ALIGNED)]);
}

await runStep(async () => {
  const arch = archFrom(process.argv[2] ?? process.arch);
  const started = performance.now();
  await inTurn(() => buildImage(arch, process.env['FAST'] === '1'));
  console.log(
    `os: the image for ${arch} is in ${path.relative('', outputOf(arch))} (${((performance.now() - started) / 1_000).toFixed(1)} s)`,
  );
});
