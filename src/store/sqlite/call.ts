import type { StoreError } from '../store.ts';
import type { Ledger } from './ledger.ts';
import type { Reader } from './reader.ts';

/** What the store's thread can be asked: the verbs that change something, and those that only look. */
export type Calls = Pick<
  Ledger,
  'start' | 'recover' | 'nextJobId' | 'commit' | 'claim' | 'reopen' | 'forget' | 'backup' | 'close'
> &
  Pick<
    Reader,
    | 'job'
    | 'listJobs'
    | 'listBlocks'
    | 'inputs'
    | 'segments'
    | 'batches'
    | 'attempts'
    | 'task'
    | 'logs'
    | 'tokens'
    | 'idempotent'
    | 'unreferenced'
  >;

export interface Call<Verb extends keyof Calls = keyof Calls> {
  readonly id: number;
  readonly verb: Verb;
  readonly args: Parameters<Calls[Verb]>;
}

/** Calls are numbered from 1; 0 answers the opening, with the farm's name. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: { readonly code: StoreError['code']; readonly message: string } };
