import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PASSING_BYTES } from '../model/blob-limits.ts';

/** A collection of what is young: a millisecond. */
type Collect = (options: { type: 'minor' }) => void;

let collect: Collect | undefined;
let passed = 0;

/**
 * What a socket reads is garbage as soon as it is written to the disk, but V8, which counts a few bytes for each buffer, lets
 * tens of MiB of it lie. Told how much has passed, it collects what is young every PASSING_BYTES.
 */
export function notePassing(bytes: number): void {
  passed += bytes;
  if (passed < PASSING_BYTES) return;
  passed = 0;
  collect ??= collector();
  collect({ type: 'minor' });
}

function collector(): Collect {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collect;
}
