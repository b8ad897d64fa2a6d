import { createHash } from 'node:crypto';
import type { Runner } from '../../model/job.ts';

/** What workers are sent: an ES module, complete in itself, whose default export is the task function; or a WebAssembly program. */
export interface TaskModule {
  readonly code: string | Uint8Array;
  /** For people: the module's path as its user would write it, or the inline function's name. */
  readonly sourceName: string;
  /** `node`: it needs what browsers lack. */
  readonly runner: Runner;
}

/** One that is text. */
export type TextModule = TaskModule & { readonly code: string };

/** The name of a piece of code on every worker: SHA-256 of its UTF-8 bytes, in hex. */
export function codeHash(code: string | Uint8Array): string {
  return createHash('sha256').update(code).digest('hex');
}
