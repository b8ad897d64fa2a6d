import type { Millis } from '../../model/ids.ts';

/** Everything that is decided before a simulation runs, as plain JSON: a failing one can be kept when the generator changes. */
export interface Plan {
  /** Of the streams of chance for what is not decided here: latencies, jitter, who is hit inside a fault. */
  readonly seed: number;
  /** Milliseconds of chaos before everything heals. */
  readonly chaos: Millis;
  readonly network: { readonly latency: readonly [Millis, Millis]; readonly slowFrames: number };
  readonly disk: { readonly latency: readonly [Millis, Millis]; readonly slowCommits: number };
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
  readonly labels: Readonly<Record<string, string>>;
  /** When it dies for good, never to be replaced. */
  readonly goneAt?: Millis;
}

export interface JobPlan {
  readonly client: number;
  readonly at: Millis;
  readonly count: number;
  /** Absent: a range. Else the tasks of each block of inputs, and the pause between two. */
  readonly blocks?: { readonly size: number; readonly pause: Millis };
  readonly order: 'index' | 'completion';
  readonly credit: number;
  readonly retries: number;
  readonly timeout?: Millis;
  readonly priority: number;
  readonly fenced: boolean;
  readonly maxFailures: number;
  readonly requires: Readonly<Record<string, string>>;
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
  readonly cancelAfter?: Millis;
  readonly pause?: { readonly after: Millis; readonly for: Millis };
  /** Its client asks once for the failed tasks to be tried again. */
  readonly retryFailed: boolean;
}

/** Where a server dies: now, or at the n-th commit or message from now on. */
export type CrashSite = 'now' | 'beforeCommit' | 'afterCommit' | 'betweenSends' | 'inRecovery';

export type Fault =
  /** The connection breaks: the shares of what is under way that is lost, and when each side notices (absent: never). */
  | {
      readonly kind: 'cut';
      readonly at: Millis;
      readonly node: string;
      readonly loseUp: number;
      readonly loseDown: number;
      readonly nodeNotices?: Millis;
      readonly serverNotices?: Millis;
    }
  /** The node closes its socket and comes back while its last frames are still under way. */
  | { readonly kind: 'lateFrames'; readonly at: Millis; readonly node: string; readonly for: Millis }
  | {
      readonly kind: 'slow';
      readonly at: Millis;
      readonly node: string;
      readonly way: 'up' | 'down' | 'both';
      readonly for: Millis;
    }
  /** Nothing gets through and nobody is told, until it is over. */
  | { readonly kind: 'partition'; readonly at: Millis; readonly node: string; readonly for: Millis }
  | {
      readonly kind: 'crash';
      readonly at: Millis;
      readonly site: CrashSite;
      readonly nth: number;
      readonly down: Millis;
      readonly applied: boolean;
    }
  /** The server is paused, another takes over, and the first wakes again. */
  | { readonly kind: 'zombie'; readonly at: Millis; readonly for: Millis }
  | { readonly kind: 'diskFull' | 'diskStall'; readonly at: Millis; readonly for: Millis }
  /** A sync fails: done or not, nobody knows. */
  | { readonly kind: 'diskBroken'; readonly at: Millis; readonly applied: boolean }
  | { readonly kind: 'killWorker'; readonly at: Millis; readonly node: string; readonly back: Millis }
  | { readonly kind: 'freezeWorker'; readonly at: Millis; readonly node: string; readonly for: Millis }
  | { readonly kind: 'killSlot'; readonly at: Millis; readonly node: string }
  | { readonly kind: 'killClient'; readonly at: Millis; readonly node: string; readonly back: Millis }
  | { readonly kind: 'drain'; readonly at: Millis; readonly node: string; readonly for: Millis }
  | { readonly kind: 'stopWorker'; readonly at: Millis; readonly node: string }
  | { readonly kind: 'leaveWorker'; readonly at: Millis; readonly node: string };
