import type { Allowed } from '../../worker/node/join.ts';
import { UsageError } from '../errors.ts';

const KNOWN: readonly string[] = ['exec', 'python', 'install'] satisfies Allowed[];

/** What the owner of a machine lets tasks do more; several are separated by commas, or given one by one. */
export function collectAllowed(text: string, before: Allowed[] = []): Allowed[] {
  const named = text.split(',').map((each) => each.trim());
  const unknown = named.find((each) => !KNOWN.includes(each));
  if (unknown !== undefined) throw new UsageError(`--allow knows only exec, python and install, not "${unknown}"`);
  return [...before, ...(named as Allowed[])];
}

/** For the help of commands. */
export const ALLOWED_HELP =
  'let tasks do more: exec (any command as this user), python, install (packages of npm); several with commas';
