import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The build turns the name into that of the compiled file. */
const entry = fileURLToPath(new URL('../entry/task-process.ts', import.meta.url));
const root = new URL('../../../', import.meta.url);

/** What is written beside that one file: the sources that it was made of, each with when it was changed last, in milliseconds since 1970. */
export type Sources = Readonly<Record<string, number>>;

export const MADE = 'node_modules/.cache/manyhands/task-process.mjs';
export const SOURCES = 'node_modules/.cache/manyhands/task-process.json';

/**
 * The file that task processes run. In the repository that is one file, made of the sources, as long as these are what they
 * were: fifty files of TypeScript cost each process more than all else that it does before its first task.
 */
export function taskProgram(): string {
  if (!entry.endsWith('.ts')) return entry;
  try {
    const sources = Object.entries(JSON.parse(readFileSync(new URL(SOURCES, root), 'utf8')) as Sources);
    const isFresh = sources.every(([file, changed]) => statSync(new URL(file, root)).mtimeMs === changed);
    return isFresh ? fileURLToPath(new URL(MADE, root)) : entry;
  } catch {
    // It was never made.
    return entry;
  }
}
