import type { Millis } from '../../model/ids.ts';

/** Everything that is decided before a simulation runs, as plain JSON: a failing one can be kept when the generator changes. */
export interface Plan {
  /** Of the streams of chance for what is not decided here: latencies, jitter, who is hit inside a fault. */
  readonly seed: number;
  /** How many servers share a store. Absent: one has a disk of its own. */
  readonly servers?: number;
  /** Milliseconds of chaos before everything heals. */
  readonly chaos: Millis;
  readonly network: {
    readonly latency: readonly [Millis, Millis];
    readonly slowFrames: number;
    /** Share of HTTP requests and of their answers that are lost. */
    readonly httpLoss: number;
    /** Worker sockets lose, repeat and reorder messages, which no real socket does: it shows hidden assumptions. */
    readonly datagrams?: { readonly drop: number; readonly repeat: number; readonly reorder: number };
  };
  readonly disk: { readonly latency: readonly [Millis, Millis]; readonly slowCommits: number };
  /** Parts per million by which each node's clock runs fast or slow, at most. */
  readonly drift: number;
  /** Blobs are collected this often. */
  readonly collectEvery: Millis;
  readonly workers: readonly WorkerPlan[];
  readonly clients: number;
  readonly jobs: readonly JobPlan[];
  readonly faults: readonly Fault[];
}

/**
 * `repeater` sends everything twice and old outcomes again; `liar` names leases that are not its own; `garbler` sends
 * frames that cannot be read; `hole` fails every task at once.
 */
export type Character = 'honest' | 'repeater' | 'liar' | 'garbler' | 'hole';

export interface WorkerPlan {
  readonly slots: number;
  readonly character: Character;
  /** Times as long as usual. */
  readonly slowness: number;
  readonly device: 'node' | 'browser';
  /** It speaks the text subprotocol. */
  readonly json: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly resources: Readonly<Record<string, number>>;
  /** When it dies for good, never to be replaced. */
  readonly goneAt?: Millis;
}

export interface JobPlan {
  readonly client: number;
  readonly at: Millis;
  readonly count: number;
  /** Absent: a range. Else how inputs come: so many at a time with pauses between, or all at once. */
  readonly inputs?: { readonly size: number; readonly pause: Millis };
  /** Its tasks give it further ones. */
  readonly spawns?: boolean;
  /** Its inputs are the results of this job of the plan; `count` is how many these are if all goes well. */
  readonly source?: number;
  /** How its results are read: messages with a small credit, whole batches, or record by record. */
  readonly reading: 'messages' | 'batches' | 'records';
  readonly order: 'index' | 'completion';
  /** Bytes; of `messages` only. */
  readonly credit: number;
  readonly retries: number;
  readonly timeout?: Millis;
  readonly priority: number;
  readonly fenced: boolean;
  readonly maxFailures: number;
  readonly requires: Readonly<Record<string, string>>;
  readonly resources: Readonly<Record<string, number>>;
  readonly cpus: number;
  /** Milliseconds of a task: evenly between these on a logarithmic scale. */
  readonly cost: readonly [Millis, Millis];
  /** Shares of tasks that always throw, throw at first, take their process down, never end. */
  readonly trouble: {
    readonly throws: number;
    readonly throwsFirst: number;
    readonly crashes: number;
    readonly hangs: number;
  };
  /** Tasks that kill the whole worker. */
  readonly poison: readonly number[];
  /** Share of tasks whose results travel as blobs. */
  readonly blobs: number;
  /** Its code is too big to travel inline. */
  readonly bigCode: boolean;
  /** Share of tasks that print. */
  readonly prints: number;
  readonly cancelAfter?: Millis;
  readonly pause?: { readonly after: Millis; readonly for: Millis };
  /** Its client asks once for the failed tasks to be tried again. */
  readonly retryFailed: boolean;
  /** Its client deletes it at the end. */
  readonly forget: boolean;
}

/** Where a server dies: now, or at the n-th commit or message from now on. */
export type CrashSite = 'now' | 'beforeCommit' | 'afterCommit' | 'betweenSends' | 'inRecovery';

interface At {
  readonly at: Millis;
}

interface Spell extends At {
  readonly for: Millis;
}

/** Which of several servers it happens to; absent: the first. */
interface AtServer {
  readonly server?: number;
}

interface Of {
  readonly node: string;
}

export type Fault =
  /** The connection breaks: the shares of what is under way that is lost, and when each side notices (absent: never). */
  | (At &
      Of & {
        readonly kind: 'cut';
        readonly loseUp: number;
        readonly loseDown: number;
        readonly nodeNotices?: Millis;
        readonly serverNotices?: Millis;
      })
  /** The node closes its socket and comes back while its last frames are still under way. */
  | (Spell & Of & { readonly kind: 'lateFrames' })
  | (Spell & Of & { readonly kind: 'slow'; readonly way: 'up' | 'down' | 'both' })
  /** Nothing gets through and nobody is told, until it is over. */
  | (Spell & Of & AtServer & { readonly kind: 'partition' })
  | (At &
      AtServer & {
        readonly kind: 'crash';
        readonly site: CrashSite;
        readonly nth: number;
        readonly down: Millis;
        /** What was being written when it died is there. */
        readonly applied: boolean;
      })
  /** It is told to stop, saves what it has, and is started again. */
  | (At & AtServer & { readonly kind: 'restart'; readonly down: Millis })
  /** The server is paused, another takes over, and the first wakes again. */
  | (Spell & AtServer & { readonly kind: 'zombie' })
  | (Spell & AtServer & { readonly kind: 'freezeServer' })
  /** Somebody sets the server's wall clock. */
  | (At & AtServer & { readonly kind: 'wallStep'; readonly by: Millis })
  /** There is no room, another program holds the database, or nothing comes back from the disk for a while. */
  | (Spell & { readonly kind: 'diskFull' | 'diskLocked' | 'diskStall' | 'storeAway' })
  /** The store is gone for a while, and then a standby has its place, which had not followed it for the time `lost`. */
  | (Spell & { readonly kind: 'failover'; readonly lost: Millis })
  /** A sync fails: done or not, nobody knows. */
  | (At & AtServer & { readonly kind: 'diskBroken'; readonly applied: boolean })
  | (At & Of & { readonly kind: 'killWorker' | 'killClient'; readonly back: Millis })
  | (Spell & Of & { readonly kind: 'freezeWorker' })
  | (At & Of & { readonly kind: 'killSlot' })
  | (Spell & Of & { readonly kind: 'drain' })
  | (At & Of & { readonly kind: 'stopWorker' | 'leaveWorker' });

export const workerName = (number: number): string => `w${number}`;
export const clientName = (number: number): string => `c${number}`;
