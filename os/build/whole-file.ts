import { renameSync, writeFileSync } from 'node:fs';

/** Whoever reads the old file at this moment keeps it whole, and nobody finds half of the new one. */
export function writeWhole(file: string, content: Uint8Array | string): void {
  writeFileSync(`${file}.part`, content);
  renameSync(`${file}.part`, file);
}
