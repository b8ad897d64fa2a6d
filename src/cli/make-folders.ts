import { existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes a directory and those on the way, one after the other: some file systems take `recursive` for an invitation to try
 * for ever. Throws what the system says, also where something else has that name. Returns those that it made, outermost first.
 */
export function makeFolders(directory: string, mode = 0o777): string[] {
  const missing = missingFolders(directory);
  for (const folder of missing) mkdirSync(folder, { mode });
  return missing;
}

function missingFolders(directory: string): string[] {
  const full = path.resolve(directory);
  if (existsSync(full)) return statSync(full).isDirectory() ? [] : [full];
  const missing: string[] = [];
  for (let at = full; !existsSync(at) && path.dirname(at) !== at; at = path.dirname(at)) missing.unshift(at);
  return missing;
}
