import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { COMMAND_LAST_WORDS_BYTES, COMMAND_OUTPUT_BYTES } from '../../../model/exec-limits.ts';
import type { ExecOutput } from '../../exec/exec-code.ts';
import type { BlobFiles } from '../blob-files.ts';
import { digestFile } from '../digest-file.ts';

/** What a command has printed into a file: in the outcome itself where it is short, else as a blob that is uploaded by then. Undefined: there is no file. */
export async function outputIn(path: string, blobs: BlobFiles): Promise<ExecOutput | undefined> {
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? {};
  if (size === undefined) return undefined;
  if (size === 0) return '';
  if (size > COMMAND_OUTPUT_BYTES) return { blob: await uploaded(path, blobs) };
  const bytes = readFileSync(path);
  return isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') };
}

/** Stores a file in the farm; the file goes. */
export async function uploaded(path: string, blobs: BlobFiles): Promise<{ sha256: string; size: number }> {
  const blob = await digestFile(path);
  const problem = await blobs.upload(blob, path);
  if (problem !== undefined) throw new Error(`what it has written could not be stored: ${problem}`);
  return blob;
}

/** The last line that a command printed, for people. */
export function lastLineIn(path: string): string {
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size === 0) return '';
  const from = Math.max(0, size - COMMAND_LAST_WORDS_BYTES);
  const bytes = Buffer.alloc(size - from);
  const file = openSync(path, 'r');
  try {
    readSync(file, bytes, 0, bytes.length, from);
  } finally {
    closeSync(file);
  }
  return bytes.toString('utf8').trimEnd().split('\n').at(-1)?.trim() ?? '';
}
