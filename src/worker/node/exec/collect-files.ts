import { glob, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { COLLECTED_FILES } from '../../../model/exec-limits.ts';
import { innerPath } from '../../exec/inner-path.ts';

/** A file that a job wants back: its path below the directory, and where it truly lies. */
export interface FoundFile {
  readonly path: string;
  readonly real: string;
}

/** An argument in a pattern means itself. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\]{}()!+@\\]/g, '\\$&');
}

/** The files below a directory that patterns name. Throws one sentence where one names none, or one that lies outside. */
export async function findFiles(directory: string, patterns: readonly string[]): Promise<FoundFile[]> {
  const home = (await realpath(directory)) + sep;
  const found = new Map<string, FoundFile>();
  for (const pattern of patterns) {
    let matches = 0;
    for await (const match of glob(pattern, { cwd: directory })) {
      const path = innerPath(match);
      // A link that leads nowhere is no file.
      const real = path === undefined ? '' : await realpath(join(directory, match)).catch(() => undefined);
      if (real === undefined) continue;
      if (path === undefined || !real.startsWith(home))
        throw new Error(`--collect ${pattern} names ${match}, which lies outside of the command's directory`);
      if (!(await stat(real)).isFile()) continue;
      matches += 1;
      found.set(path, { path, real });
      if (found.size > COLLECTED_FILES) throw new Error(`--collect finds more than ${COLLECTED_FILES} files`);
    }
    if (matches === 0) throw new Error(`--collect ${pattern} matches no file that the command has written`);
  }
  return [...found.values()];
}
