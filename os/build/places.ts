import path from 'node:path';
import { BuildFailure } from './failure.ts';

export const os = path.join(import.meta.dirname, '..');
export const repository = path.join(os, '..');
export const cache = path.join(os, 'cache');

/** Machines that an image is made for, by Node's names. */
export type Arch = 'x64' | 'arm64';

export const ARCHES: readonly Arch[] = ['x64', 'arm64'];

/** What others call them. */
export const names: Readonly<Record<Arch, { debian: string; triplet: string; loader: string }>> = {
  x64: { debian: 'amd64', triplet: 'x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  arm64: { debian: 'arm64', triplet: 'aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
};

export function archFrom(text: string): Arch {
  const arch = ARCHES.find((each) => each === text);
  if (arch === undefined) throw new BuildFailure(`ARCH is one of ${ARCHES.join(', ')}, not "${text}"`);
  return arch;
}

/** `OUT` in the environment is another folder, such as one for tests. */
export function outputOf(arch: Arch): string {
  return path.resolve(os, process.env['OUT'] || 'out', arch);
}
