import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, Millis } from '../model/ids.ts';
import type { CodeRef } from '../model/job.ts';
import type { WorkerKind } from '../model/worker.ts';
import type { ServerToWorker, WorkerMessage } from '../protocol/worker-messages.ts';
import type { Chunk, JobFacts, SlotEvent } from './runner.ts';

/** What a worker is; said in every hello. */
export interface SessionOptions {
  /** 32 hex digits, random, made once by the process (P3). */
  readonly key: string;
  /** Addresses of the farm's servers, in the order in which they are tried (P29). */
  readonly servers: readonly string[];
  readonly name: string;
  readonly device: WorkerKind;
  readonly slots: number;
  readonly runners: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly resources: Readonly<Record<string, number>>;
  readonly memory?: number;
  readonly platform?: string;
  /** It cannot see the server's pings, so it says `beat` by itself. */
  readonly beats: boolean;
}

/** What happened to the worker. Chance and time come beside it. */
export type SessionInput =
  | { readonly kind: 'start' }
  /** `others`: its name stands for further servers. */
  | { readonly kind: 'connected'; readonly others?: boolean }
  /** `another`: behind the name of this server is another address, which was not tried yet. */
  | {
      readonly kind: 'disconnected';
      readonly reason: string;
      readonly retryAfter?: Millis;
      readonly another?: boolean;
    }
  /** Something arrived that is no message: a ping. */
  | { readonly kind: 'heard' }
  | { readonly kind: 'message'; readonly message: ServerToWorker; readonly column?: PackedColumn }
  /** A frame that cannot be read, with one sentence why. */
  | { readonly kind: 'garbage'; readonly detail: string }
  | SlotEvent
  | { readonly kind: 'codeReady'; readonly sha256: string }
  | { readonly kind: 'codeFailed'; readonly sha256: string; readonly reason: string }
  /** The large blobs that the device has now. */
  | { readonly kind: 'blobsHeld'; readonly blobs: readonly string[] }
  | { readonly kind: 'tick' }
  /** From now on it has so many slots; the server hears it by a new hello. */
  | { readonly kind: 'resize'; readonly slots: number }
  /** The device may stop at any moment, such as a page that nobody sees: it hangs up, and gives back what has not started. */
  | { readonly kind: 'sleep'; readonly reason: string }
  /** It shall not compute for a while: it finishes what runs, and then sleeps. */
  | { readonly kind: 'rest'; readonly reason: string }
  /** It goes on, at once: what it still holds is told in its hello. */
  | { readonly kind: 'wake' }
  /** Finish what runs, give back the rest, then leave for good. */
  | { readonly kind: 'drain'; readonly reason: string }
  /** Leave for good now. */
  | { readonly kind: 'stop'; readonly reason: string };

export type SessionEffect =
  | { readonly kind: 'send'; readonly message: WorkerMessage; readonly column?: PackedColumn }
  | { readonly kind: 'connect'; readonly server: string }
  /** Of the platform's own, to which the server answers by itself. */
  | { readonly kind: 'ping' }
  | { readonly kind: 'disconnect'; readonly code: number; readonly reason: string }
  /** `codeReady` or `codeFailed` follows. Inline code is checked against its hash like any other. */
  | { readonly kind: 'fetchCode'; readonly code: CodeRef; readonly inline?: string }
  | { readonly kind: 'startSlot'; readonly slot: number }
  | { readonly kind: 'runChunk'; readonly slot: number; readonly chunk: Chunk; readonly job: JobFacts }
  | { readonly kind: 'abortChunk'; readonly slot: number; readonly chunk: number }
  | { readonly kind: 'killSlot'; readonly slot: number }
  | { readonly kind: 'forgetJob'; readonly job: JobId }
  | { readonly kind: 'status'; readonly status: WorkerStatus };

/** For people and for the process around the session. */
export type WorkerStatus =
  | { readonly state: 'joined'; readonly worker: string; readonly farm: string; readonly server: string }
  /** The connection is gone, and it goes to another server at once. */
  | { readonly state: 'moving'; readonly reason: string; readonly server: string }
  /** The connection is gone; the next attempt is in `retryIn` ms. */
  | { readonly state: 'waiting'; readonly reason: string; readonly retryIn: Millis }
  /** `leaving`: it goes when it has finished what runs; else the server has drained it, and it stays. */
  | { readonly state: 'draining'; readonly reason: string; readonly leaving: boolean }
  | { readonly state: 'undrained' }
  /** It has hung up until it is woken. */
  | { readonly state: 'asleep'; readonly reason: string }
  /** A task process died; tasks tells what it had been given. */
  | { readonly state: 'slotDied'; readonly slot: number; readonly reason: string }
  /** It gives tasks back that it cannot run now, such as on a full disk; they go elsewhere. */
  | { readonly state: 'unable'; readonly reason: string }
  /** For good: nothing more comes out of the session. `failed`: it could never join, or was refused. */
  | { readonly state: 'ended'; readonly reason: string; readonly failed: boolean };
