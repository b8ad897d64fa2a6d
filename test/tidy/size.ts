import type { Tree } from './tree.ts';

const FILE_LINES = 400;
const FUNCTION_LINES = 70;

/** What is still too long, with its length. Entries may only shrink and go. */
export interface Ratchet {
  files: Record<string, number>;
  functions: Record<string, number>;
}

/** Files and functions that fit on the reader's screen and in the reader's head. */
export function size(tree: Tree, ratchet: Ratchet = { files: {}, functions: {} }): string[] {
  const long = { files: new Map<string, number>(), functions: new Map<string, number>() };
  for (const file of tree.sources) {
    if (file.lines > FILE_LINES) long.files.set(file.path, file.lines);
    for (const { name, lines } of file.functions) {
      if (lines > FUNCTION_LINES) long.functions.set(`${file.path} ${name}`, lines);
    }
  }
  return [
    ...compare('file', FILE_LINES, long.files, ratchet.files),
    ...compare('function', FUNCTION_LINES, long.functions, ratchet.functions),
  ];
}

function compare(kind: string, limit: number, found: Map<string, number>, listed: Record<string, number>): string[] {
  const faults: string[] = [];
  for (const [name, lines] of found) {
    const allowed = listed[name];
    if (allowed === undefined) faults.push(`${name}: a ${kind} of ${lines} lines; ${limit} is the most`);
    else if (lines > allowed)
      faults.push(`${name}: has grown from ${allowed} to ${lines} lines; the list may only shrink`);
  }
  for (const [name, allowed] of Object.entries(listed)) {
    const lines = found.get(name);
    if (lines === undefined) faults.push(`${name}: is short enough now or gone; take it out of the list`);
    else if (lines < allowed) faults.push(`${name}: has shrunk to ${lines} lines; write that into the list`);
  }
  return faults;
}
