import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SlotEvent } from '../../runner.ts';
import type { BlobFiles } from '../blob-files.ts';
import { type Confinement, findProgram, leashed } from '../confinement.ts';
import { SideRunner } from '../side-runner.ts';

const host = fileURLToPath(new URL('./entry/host.py', import.meta.url));

/** Where this machine's own Python is; undefined: it has none. */
export function findPython(): string | undefined {
  return findProgram('python3');
}

/** Runs files of Python in processes of `python3`. */
export function pythonRunner(
  python: string,
  confinement: Confinement,
  blobs: BlobFiles,
  codePath: (sha256: string) => string,
  report: (event: SlotEvent) => void,
): SideRunner {
  let program: string | undefined;
  const command = ({ blobs: directory }: Confinement): [string, string[]] => {
    program ??= realProgram(python);
    return leashed(program, ['-B', host, directory]);
  };
  return new SideRunner(confinement, blobs, codePath, report, command);
}

/** Programs named python3 may be scripts that look for the real one by an environment that tasks do not get. */
function realProgram(python: string): string {
  const { stdout } = spawnSync(python, ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' });
  const found = stdout?.trim() ?? '';
  return found === '' ? python : found;
}
