import type { BlobRef } from '../../model/envelope.ts';
import type { CodeRef, RangeInputs } from '../../model/job.ts';
import type { Run } from '../../model/runs.ts';
import type { Spawned } from '../../model/spawned.ts';

/** What a worker says to a slot: to a task process of Node, or to a Web Worker of a browser. */
export type ToTask =
  /**
   * Before the first chunk of a job. `module`: checked already; its path on Node, in a browser its text, or nothing where
   * the code is bytes, which come beside the message.
   */
  | {
      readonly kind: 'job';
      readonly job: number;
      readonly module: string;
      readonly code: CodeRef;
      /** Of Python without one of its own: on Node, the directory that Pyodide lies in. */
      readonly pyodide?: string;
      /** Bytes that a task may use. */
      readonly memory?: number;
      readonly range?: RangeInputs;
      /** Its tasks may add others to it. */
      readonly spawns?: boolean;
    }
  /**
   * With the packed inputs, except for ranges. Blobs among them lie where the slot can read them; `missing` says why one
   * does not.
   */
  | {
      readonly kind: 'chunk';
      readonly id: number;
      readonly job: number;
      readonly lease: number;
      readonly runs: readonly Run[];
      readonly farm: string;
      readonly missing?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'abort'; readonly chunk: number }
  | { readonly kind: 'forget'; readonly job: number }
  /** The answer to `wantBlob` and `giveBlob`. */
  | { readonly kind: 'blob'; readonly request: number; readonly error?: string };

/** Bytes that lie with the slot until they are uploaded. On Node `file` is the number of their file: equal bytes have two. */
export type StoredBlob = BlobRef & { readonly file?: number };

/** What a slot says to its worker. */
export type FromTask =
  | { readonly kind: 'ready' }
  /** What the slot loads now is not the chunk's alone, and stays for later ones; `started` follows when it is there. */
  | { readonly kind: 'loading'; readonly chunk: number }
  | { readonly kind: 'started'; readonly chunk: number }
  /**
   * With the packed outcomes, and behind them what `spawned` tells of. `blobs`: results that lie with the slot and shall be
   * uploaded.
   */
  | {
      readonly kind: 'done';
      readonly chunk: number;
      readonly done: number;
      readonly micros: number;
      readonly blobs?: readonly StoredBlob[];
      readonly spawned?: Spawned;
    }
  | {
      readonly kind: 'log';
      readonly chunk: number;
      readonly position: number;
      readonly stream: 'stdout' | 'stderr' | 'log';
      readonly text: string;
    }
  | {
      readonly kind: 'progress';
      readonly chunk: number;
      readonly position: number;
      readonly fraction: number;
      readonly text?: string;
    }
  /** A task asks for a blob. */
  | { readonly kind: 'wantBlob'; readonly request: number; readonly sha256: string }
  /** It has read what it asked for, and needs the file no more; else it stays until the chunk is over. */
  | { readonly kind: 'readBlob'; readonly request: number }
  /** A task made a blob: it lies with the slot. */
  | { readonly kind: 'giveBlob'; readonly request: number; readonly blob: StoredBlob }
  /** What a task made finds no room on this disk: nothing more is said of the chunk. */
  | { readonly kind: 'full'; readonly chunk: number };
