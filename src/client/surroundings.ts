import type { BlobRef } from '../model/envelope.ts';
import type { TaskCode } from './task-code.ts';
import type { Transport } from './transport.ts';

/** What the SDK needs of the platform it runs on. Node's is in node/, a browser's can stand beside it. */
export interface Surroundings {
  /** Addresses of the farm's servers, in the order in which they are tried. */
  readonly servers: readonly string[];
  readonly transport: Transport;
  readonly blobs: BlobExchange;
  /** Turns a module or an inline function into code that can be sent. `install`: packages that are installed where it runs. */
  code(task: URL | TaskFunctionLike, install?: readonly string[]): Promise<TaskCode>;
  /** SHA-256 in hex of bytes, or of a text in UTF-8, and their size. */
  hash(what: string | Uint8Array): { sha256: string; size: number };
  /** Of a farm for this program alone, on a machine without Python: its tasks would wait for ever. */
  readonly lacksPython?: boolean;
  /** The program is with this server now: bytes by HTTP go there, too. */
  joined?(server: string): void;
  /** Monotonic milliseconds. */
  now(): number;
  /** From 0 up to and without 1. */
  chance(): number;
  /** After everything that is being done now, before any waiting. */
  defer(run: () => void): void;
  /** After whatever has arrived by now was handled. */
  pause(): Promise<void>;
  /** Does not keep the process alive, unless `hold`. Returns its cancel. */
  alarm(delay: number, run: () => void, hold?: boolean): () => void;
  randomKey(): string;
}

export type TaskFunctionLike = (...inputs: never[]) => unknown;

/** Bytes too big for a message, by HTTP. */
export interface BlobExchange {
  /** Names the bytes. Large ones are hashed with pauses. */
  refer(bytes: Uint8Array): BlobRef | Promise<BlobRef>;
  /** Resolves once the server has them on disk. Bounded parallelism: more calls wait. */
  put(ref: BlobRef, bytes: Uint8Array): Promise<void>;
  get(ref: BlobRef): Promise<Uint8Array>;
  /** Where there are files: stores the bytes of one, and names them. */
  putFile?(file: URL, moved?: Moved): Promise<BlobRef>;
  /** Where there are files: writes the bytes into one. */
  getFile?(ref: BlobRef, file: URL, moved?: Moved): Promise<void>;
  close(): void;
}

/** Told how many bytes of how many have been moved so far. */
export type Moved = (bytes: number, of: number) => void;
