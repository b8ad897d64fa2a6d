/**
 * What the bytes of one task's value are. Below `failed` the task is done (or the value is an input); from `failed` up
 * the bytes are the JSON of a {@link TaskFailure}. One byte on the wire and on disk: numbers never change meaning.
 */
export const ValueStatus = {
  /** JSON text followed by one comma (VALUES.md); no bytes at all: `undefined`. */
  json: 0,
  /** The bytes are the value, a Uint8Array. */
  bytes: 1,
  /** JSON of a BlobRef followed by one comma: the value is the JSON text in that blob. */
  jsonBlob: 2,
  /** JSON of a BlobRef followed by one comma: the value is that blob's bytes. */
  bytesBlob: 3,
  /** The task function threw, or its result could not be sent. */
  failed: 4,
  /** Killed at its time limit. */
  timeout: 5,
  /** Its process died under it. */
  crash: 6,
  /** Killed at its memory limit. */
  memory: 7,
  /** Cost too many workers their life; made by the server. */
  poison: 8,
  /** Ended by a cancel; made by the server or the client, never stored for each task. */
  cancelled: 9,
} as const;

export type ValueStatus = (typeof ValueStatus)[keyof typeof ValueStatus];

export function isFailure(status: number): boolean {
  return status >= ValueStatus.failed;
}

/**
 * The values of many tasks, packed as PROTOCOL.md says (P-column). Opaque to store and scheduler; protocol/column.ts
 * reads it. The same bytes go over the wire, to disk, and back to the client, so a column is made once and never decoded
 * on the way.
 */
export type PackedColumn = Uint8Array;

/** The JSON form of a failed task's outcome. `kind` repeats the status in words. */
export interface TaskFailure {
  readonly kind: 'error' | 'timeout' | 'crash' | 'memory' | 'poison' | 'cancelled';
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly exitCode?: number;
  readonly signal?: string;
  /** What a failed command has printed, and its exit code: the value of its task all the same. */
  readonly value?: object;
  /** Why the error was thrown, where the task said so. */
  readonly cause?: FailureCause;
}

/** An error below another. */
export interface FailureCause {
  readonly name: string;
  readonly message: string;
  readonly cause?: FailureCause;
}

export interface BlobRef {
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}
