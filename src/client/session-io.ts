import type { PackedColumn } from '../model/envelope.ts';
import type { JobId, Millis, TaskIndex } from '../model/ids.ts';
import type { JobProgress } from '../model/job.ts';
import type { Run } from '../model/runs.ts';
import type { Answer, ClientMessage, ServerToClient } from '../protocol/client-messages.ts';

/** A message that is answered. Its number comes from {@link Session.newNumber}. */
export type RequestMessage = Exclude<ClientMessage, { kind: 'credit' | 'unsubscribe' }>;

/** What happened to the client. Chance and time come beside it. */
export type SessionInput =
  | { readonly kind: 'start' }
  /** `others`: its name stands for further servers. */
  | { readonly kind: 'connected'; readonly others?: boolean }
  /**
   * `fatal`: trying again is of no use, such as with a token that is refused. `another`: behind the name of this server is
   * another address, which was not tried yet.
   */
  | {
      readonly kind: 'disconnected';
      readonly reason: string;
      readonly fatal?: boolean;
      readonly retryAfter?: Millis;
      readonly another?: boolean;
    }
  /** Something arrived that is no message: a ping. */
  | { readonly kind: 'heard' }
  /** `bytes`: of the whole frame, which is what credit counts. */
  | {
      readonly kind: 'message';
      readonly message: ServerToClient;
      readonly column?: PackedColumn;
      readonly bytes: number;
    }
  /** A frame that cannot be read, with one sentence why. */
  | { readonly kind: 'garbage'; readonly detail: string }
  | { readonly kind: 'request'; readonly message: RequestMessage; readonly column?: PackedColumn }
  /** The program has taken these bytes of a stream: the server may send as many more. */
  | { readonly kind: 'consumed'; readonly stream: number; readonly bytes: number }
  | { readonly kind: 'unsubscribe'; readonly stream: number }
  /** No more progress of this job is wanted. */
  | { readonly kind: 'unfollow'; readonly job: JobId }
  | { readonly kind: 'tick' }
  /** The program wants to leave: what waits for its next attempt to connect makes it now. */
  | { readonly kind: 'hurry' }
  | { readonly kind: 'stop'; readonly reason: string };

export type SessionEffect =
  | { readonly kind: 'send'; readonly message: ClientMessage; readonly column?: PackedColumn }
  | { readonly kind: 'connect'; readonly server: string }
  /** Of the platform's own, to which the server answers by itself. */
  | { readonly kind: 'ping' }
  | { readonly kind: 'disconnect'; readonly code: number; readonly reason: string }
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'batch'; readonly batch: StreamBatch }
  | { readonly kind: 'mark'; readonly stream: number; readonly next: TaskIndex }
  | { readonly kind: 'streamEnded'; readonly stream: number; readonly progress: JobProgress }
  | { readonly kind: 'streamFailed'; readonly stream: number; readonly code: string; readonly reason: string }
  | {
      readonly kind: 'progress';
      readonly job: JobId;
      readonly progress: JobProgress;
      readonly running: number;
      readonly waiting: number;
    }
  /** A job that was followed is not there any more. */
  | { readonly kind: 'followFailed'; readonly job: JobId; readonly code: string; readonly reason: string }
  /** What was stored went back in time: what had been answered may be lost (P31). */
  | { readonly kind: 'wentBack' }
  /** Inputs may be sent again: `Session.inputRoom` is above zero. */
  | { readonly kind: 'room' }
  | { readonly kind: 'status'; readonly status: SessionStatus };

/** Outcomes that this client has not been given before (S7). */
export interface StreamBatch {
  readonly stream: number;
  /** First index of the block they belong to. */
  readonly block: TaskIndex;
  readonly runs: readonly Run[];
  readonly column: PackedColumn;
  /** Completion order: the segment's number. */
  readonly cursor: number;
  readonly generation: number;
  readonly attempts: readonly (readonly [TaskIndex, number])[];
  /** To be given back as `consumed`. */
  readonly bytes: number;
}

export type SessionStatus =
  | { readonly state: 'joined'; readonly farm: string; readonly server: string }
  /** The connection is gone, and it goes to another server at once. */
  | { readonly state: 'moving'; readonly reason: string; readonly server: string }
  /** The connection is gone; the next attempt is in `retryIn` ms. */
  | { readonly state: 'waiting'; readonly reason: string; readonly retryIn: Millis }
  /** For good. `failed`: the server could not be reached at all, or refused. Whatever was unanswered stays so. */
  | { readonly state: 'ended'; readonly reason: string; readonly failed: boolean };
