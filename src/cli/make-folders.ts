import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';

/** Makes a directory and those on the way, one after the other: some file systems take `recursive` for an invitation to try for ever. */
export function makeFolders(directory: string, mode = 0o777): void {
  for (const folder of missingFolders(directory)) mkdirSync(folder, { mode });
}

function missingFolders(directory: string): string[] {
  const missing: string[] = [];
  for (let at = path.resolve(directory); !existsSync(at) && path.dirname(at) !== at; at = path.dirname(at))
    missing.unshift(at);
  return missing;
}
