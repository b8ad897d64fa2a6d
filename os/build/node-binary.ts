import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { withoutSymbols } from './elf.ts';
import { BuildFailure } from './failure.ts';
import { checkInput, type Input } from './lock.ts';
import { type Arch, cache } from './places.ts';
import { run } from './tools.ts';
import { writeWhole } from './whole-file.ts';

/** The package of Node as npm has it: downloaded once, whatever machine this is. */
export function packNode(arch: Arch, name: string, version: string): string {
  const folder = path.join(cache, arch, 'packages');
  const file = path.join(folder, `${name}-${version}.tgz`);
  if (existsSync(file)) return file;
  mkdirSync(folder, { recursive: true });
  const draft = path.join(folder, 'npm');
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft);
  run('npm', ['pack', '--silent', '--pack-destination', draft, `${name}@${version}`], { cwd: draft });
  const [packed] = readdirSync(draft);
  if (packed === undefined) throw new BuildFailure(`npm packed no ${name}@${version}`);
  renameSync(path.join(draft, packed), file);
  rmSync(draft, { recursive: true });
  return file;
}

/** Node itself, without what only debuggers want: a fifth of it. */
export function nodeProgram(arch: Arch, input: Input): Uint8Array {
  const stripped = path.join(cache, arch, `${input.name}-${input.version}.program`);
  if (!existsSync(stripped)) {
    const archive = packNode(arch, input.name, input.version);
    checkInput(input, archive);
    const draft = path.join(cache, arch, 'node');
    mkdirSync(draft, { recursive: true });
    run('tar', ['-xzf', archive, '-C', draft, 'package/bin/node']);
    writeWhole(stripped, withoutSymbols(readFileSync(path.join(draft, 'package/bin/node'))));
    rmSync(draft, { recursive: true });
  }
  return readFileSync(stripped);
}
