import { globSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { CpioEntry } from '../../src/server/boot/cpio.ts';
import { librariesOf } from './elf.ts';
import { BuildFailure } from './failure.ts';
import { type Arch, names, os } from './places.ts';

/** Where the folders of unpacked packages are, by name. */
export type Packages = (name: string) => string;

/** Mount points, and folders that programs expect. */
const FOLDERS = ['dev', 'proc', 'sys', 'run', 'tmp', 'root', 'sbin', 'usr/bin'];

/** The system around our programs: shell, Node, and the libraries that Node needs. */
export function rootEntries(arch: Arch, packages: Packages, node: Uint8Array): CpioEntry[] {
  const file = (name: string, bytes: Uint8Array): CpioEntry => ({ name, kind: 'file', bytes, permissions: 0o755 });
  const setpriv = readFileSync(path.join(packages('util-linux'), 'usr/bin/setpriv'));
  return [
    ...FOLDERS.map((name): CpioEntry => ({ name, kind: 'directory' })),
    // What the kernel says before there is a /dev would else be lost.
    { name: 'dev/console', kind: 'device', major: 5, minor: 1 },
    file('bin/busybox', readFileSync(path.join(packages('busybox-static'), 'bin/busybox'))),
    { name: 'bin/sh', kind: 'link', target: 'busybox' },
    { name: 'sbin/init', kind: 'link', target: '../bin/busybox' },
    { name: 'etc/resolv.conf', kind: 'link', target: '../run/resolv.conf' },
    file('usr/bin/node', node),
    // Where busybox would put a smaller one, which cannot bind a process to its parent.
    file('bin/setpriv', setpriv),
    ...libraryEntries(arch, packages, [Buffer.from(node), setpriv]),
    ...ownEntries(),
    // By its name the last to be unpacked: where it is missing, memory was full before.
    { name: 'zz-whole', kind: 'file', bytes: new Uint8Array() },
  ];
}

/** Shell scripts and settings, as they lie in os/root. A file that is executable there is so in the image. */
function ownEntries(): CpioEntry[] {
  const folder = path.join(os, 'root');
  return globSync('**/*', { cwd: folder }).flatMap((name): CpioEntry[] => {
    const stats = statSync(path.join(folder, name));
    if (stats.isDirectory()) return [];
    const bytes = readFileSync(path.join(folder, name));
    return [{ name, kind: 'file', bytes, permissions: stats.mode & 0o100 ? 0o755 : 0o644 }];
  });
}

function libraryEntries(arch: Arch, packages: Packages, programs: readonly Buffer[]): CpioEntry[] {
  const { triplet, loader } = names[arch];
  const folders = ['libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1', 'libcap-ng0']
    .map(packages)
    .flatMap((folder) => [path.join(folder, 'lib', triplet), path.join(folder, 'usr/lib', triplet)]);
  const read = (library: string): Buffer => {
    const found = folders
      .map((folder) => path.join(folder, library))
      .find((file) => statSync(file, { throwIfNoEntry: false }));
    if (found === undefined) throw new BuildFailure(`no package in inputs.lock has the library ${library}`);
    return readFileSync(realpathSync(found));
  };
  const found = new Map<string, Buffer>();
  const wanted = programs.flatMap(librariesOf);
  for (let next = wanted.pop(); next !== undefined; next = wanted.pop()) {
    if (found.has(next) || next === path.basename(loader)) continue;
    const bytes = read(next);
    found.set(next, bytes);
    wanted.push(...librariesOf(bytes));
  }
  const libraries = [...found].map(
    ([library, bytes]): CpioEntry => ({ name: `lib/${triplet}/${library}`, kind: 'file', bytes, permissions: 0o755 }),
  );
  return [...libraries, { name: loader, kind: 'file', bytes: read(path.basename(loader)), permissions: 0o755 }];
}
