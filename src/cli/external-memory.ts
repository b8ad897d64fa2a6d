import { setFlagsFromString } from 'node:v8';

/** Versions whose V8 has the flag; a later one may have dropped it, and would complain. */
const KNOWN = new Set(['24', '25', '26']);

/**
 * Without this, V8 collects the whole heap for every 64 MB of buffers that passed through, however small the heap and
 * however short their lives: half the time of a server that moves blobs. With it buffers count like other memory.
 */
export function countBuffersAsMemory(): void {
  if (KNOWN.has(process.versions.node.split('.', 1)[0] as string)) {
    setFlagsFromString('--external-memory-accounted-in-global-limit');
  }
}
