import type { Epoch, Millis } from '../../model/ids.ts';
import { EPOCHS_AHEAD, JOBS_AHEAD } from '../../model/server-limits.ts';
import { StoreError } from '../store.ts';
import { type Connection, type Statement, together } from './connection.ts';
import { type Line, type Sent, transaction } from './line.ts';
import { commitStatements } from './statements.ts';

/** Milliseconds; shorter in tests. */
export interface SharedTimes {
  readonly lease: Millis;
  readonly grace: Millis;
  readonly hunger: Millis;
}

/** What a change under an epoch does: first it looks and locks, in one message with the check of the epoch, then it writes. */
export interface Change<Look, Value> {
  look(connection: Connection): Promise<Look>;
  write(connection: Connection, look: Look, number: number): Promise<Sent<Value>>;
}

/** What this process knows of an epoch of its own. */
interface Own {
  /** The number of the last change that was acknowledged: there is a row of it, until the next one takes its place. */
  acked: number;
  /** Changes are numbered, each try anew. */
  tried: number;
  /** Nobody knows what became of the last change: only a new start finds out. */
  isUnsettled: boolean;
  /** The database was found to be older than it (D25). */
  isRewound: boolean;
}

/** How a new epoch begins. */
interface Beginning {
  readonly epoch: Epoch;
  /** How often the database lost what was written last, or may have. */
  readonly history: number;
}

const sql = {
  farm: {
    name: 'manyhands_farm',
    text: `SELECT epoch, history, timeline, manyhands_timeline() AS now FROM farm FOR UPDATE`,
  },
  history: {
    name: 'manyhands_history',
    text: `SELECT history = $1 AND timeline = manyhands_timeline() AS current FROM farm`,
  },
  began: { name: 'manyhands_began', text: `UPDATE farm SET epoch = $1, history = $2, timeline = $3` },
  skipJobs: { name: 'manyhands_skip_jobs', text: `SELECT setval('job_numbers', nextval('job_numbers') + $1)` },
  /** A process is as steady as it was under the epoch before, if nobody had to miss it. */
  join: {
    name: 'manyhands_join',
    text: `WITH before AS (
        SELECT steady_since FROM beats JOIN members USING (epoch)
        WHERE epoch = $4 AND over_at IS NULL AND alive_until >= clock_timestamp()
      ), beat AS (
        INSERT INTO beats (epoch, facts, alive_until, steady_since)
        VALUES ($1, '""', clock_timestamp() + $2::float8 * interval '1 millisecond',
          coalesce((SELECT steady_since FROM before), clock_timestamp()))
      ), first AS (
        INSERT INTO commits (epoch, number) VALUES ($1, 0)
      )
      INSERT INTO members (epoch, since, over_at, freed, timeline) VALUES ($1, now(), NULL, false, $3)`,
  },
  over: {
    name: 'manyhands_over',
    text: `UPDATE members SET over_at = coalesce(over_at, clock_timestamp()) WHERE epoch = ANY ($1::bigint[])`,
  },
} satisfies Record<string, Statement>;

/** The epochs of this process, and what is written under them (D18). */
export class Members {
  readonly #line: Line;
  readonly #times: SharedTimes;
  /** The current one last. */
  readonly #own = new Map<Epoch, Own>();
  #history = 0;

  constructor(line: Line, times: SharedTimes) {
    this.#line = line;
    this.#times = times;
  }

  get epochs(): readonly Epoch[] {
    return [...this.#own.keys()];
  }

  /** What this process was before is over; a change of it that is still under way is waited for. */
  async start(): Promise<Epoch> {
    const { epochs } = this;
    const isRewound = [...this.#own.values()].some((own) => own.isRewound);
    const begun = await this.#line.run((connection) =>
      transaction(connection, async () => {
        const value = await this.#begin(connection, Math.max(0, ...epochs), isRewound);
        return { value, sent: [connection.query(sql.over, [epochs])] };
      }),
    );
    // Those before are over, whatever became of them.
    for (const own of this.#own.values()) own.isUnsettled = own.isRewound = false;
    this.#own.set(begun.epoch, { acked: 0, tried: 0, isUnsettled: false, isRewound: false });
    this.#history = begun.history;
    return begun.epoch;
  }

  /** Of two servers that find the same loss the first leaves numbers out, for what was given out in what is lost (D25). */
  async #begin(connection: Connection, newest: Epoch, isRewound: boolean): Promise<Beginning> {
    const [{ rows }] = await together([connection.query(sql.farm, [])]);
    const farm = rows[0] as { epoch: Epoch; history: number; timeline: string; now: string };
    const isBehind = isRewound && farm.epoch < newest + EPOCHS_AHEAD / 2;
    const forks = Math.max(isBehind ? 1 : 0, forksBetween(farm.timeline, farm.now));
    const epoch = Math.max(farm.epoch, newest) + Math.max(1, forks * EPOCHS_AHEAD);
    const history = farm.history + forks;
    const sent: Promise<unknown>[] = [
      connection.query(sql.began, [epoch, history, farm.now]),
      connection.query(sql.join, [epoch, this.#times.lease, farm.now, newest]),
    ];
    if (forks > 0) sent.push(connection.query(sql.skipJobs, [forks * JOBS_AHEAD]));
    await together([Promise.all(sent)]);
    return { epoch, history };
  }

  /** As it was when the current epoch began. */
  get history(): number {
    return this.#history;
  }

  /** The number of the last change of this epoch that was acknowledged. */
  acked(epoch: Epoch): number {
    return this.#own.get(epoch)?.acked ?? 0;
  }

  /** A goodbye: others need not wait until this one has been silent for long enough. */
  async close(): Promise<void> {
    const { epochs } = this;
    if (epochs.length > 0) await this.#line.run((connection) => connection.query(sql.over, [epochs]));
  }

  /**
   * A change under an epoch, all of it or nothing. If the connection is lost before the end was acknowledged, the row of its last
   * change tells which try got there, if any (F-38).
   */
  async change<Look, Value>(epoch: Epoch, change: Change<Look, Value>): Promise<Value> {
    const values = new Map<number, Value>();
    return await this.attempt(epoch, {
      act: (connection, own, number) =>
        transaction(
          connection,
          async () => {
            const fence = connection.query(commitStatements.fence, [epoch, number, own.acked]);
            const [{ count }, look] = await together([fence, change.look(connection)]);
            if (count === 0) throw new NotCurrent();
            return await change.write(connection, look, number);
          },
          (value) => values.set(number, value),
        ),
      found: async (_connection, number) => {
        const value = values.get(number);
        if (value === undefined && !values.has(number)) throw new StoreError('broken', `change ${number} is unknown`);
        return value as Value;
      },
    });
  }

  /** The same for a change that is a single statement: it throws {@link NotCurrent} if the epoch or the number is not. */
  async attempt<Value>(
    epoch: Epoch,
    {
      act,
      found,
    }: {
      act: (connection: Connection, own: { readonly acked: number }, number: number) => Promise<Value>;
      /** The try with this number got to its end, but its answer was lost. */
      found: (connection: Connection, number: number) => Promise<Value>;
    },
  ): Promise<Value> {
    const own = this.#own.get(epoch);
    const before = own?.tried ?? 0;
    try {
      return await this.#line.run(async (connection) => {
        const current = this.#current(epoch, own);
        const number = ++current.tried;
        try {
          const value = await act(connection, current, number);
          return this.#acknowledged(current, number, value);
        } catch (error) {
          if (!(error instanceof NotCurrent)) throw error;
          const reached = await this.#whyNot(connection, epoch, current, before);
          return this.#acknowledged(current, reached, await found(connection, reached));
        }
      });
    } catch (error) {
      // Patience came to its end while nobody could say what became of the last try.
      if (own !== undefined && error instanceof StoreError && error.code === 'busy') own.isUnsettled = true;
      throw error;
    }
  }

  #acknowledged<Value>(own: Own, number: number, value: Value): Value {
    own.acked = number;
    return value;
  }

  #current(epoch: Epoch, own: Own | undefined): Own {
    if (own === undefined) throw fenced(epoch);
    if (!own.isUnsettled) return own;
    throw new StoreError('busy', 'what became of the last change is not known: start again');
  }

  /** Says why an epoch is not current. */
  async notCurrent(connection: Connection, epoch: Epoch): Promise<never> {
    const own = this.#own.get(epoch);
    if (own !== undefined) await this.#whyNot(connection, epoch, own, Number.POSITIVE_INFINITY);
    throw fenced(epoch);
  }

  /** Returns the number of the try that was this change's and got to its end. */
  async #whyNot(connection: Connection, epoch: Epoch, own: Own, before: number): Promise<number> {
    const { rows } = await connection.query(commitStatements.member, [epoch]);
    const [row] = rows as { last_commit: number; over: boolean; current: boolean }[];
    if (row?.current !== false) {
      if (row !== undefined && row.last_commit > own.acked && row.last_commit > before) return row.last_commit;
      // The rows of those that are over are kept for long.
      if (row !== undefined && row.last_commit >= own.acked) throw fenced(epoch);
    }
    own.isRewound = true;
    throw rewound();
  }
}

/** What is read of the data stands beside what was read before, which may be lost (D25). */
export async function checkHistory(connection: Connection, history: number): Promise<void> {
  const { rows } = await connection.query(sql.history, [history]);
  if (rows[0]?.['current'] !== true) throw rewound();
}

/** What the database lacks may be what this server has told others (D25). */
export function rewound(): StoreError {
  return new StoreError(
    'rewound',
    'the database is not as new as what it had acknowledged, or another has taken its place: a failover may have lost what was written last',
  );
}

/** How often a standby took over; that servers have begun after the first time may be lost by the second. */
function forksBetween(known: string, now: string): number {
  if (known === now) return 0;
  const steps = Number.parseInt(now, 16) - Number.parseInt(known, 16);
  return steps > 0 ? steps : 1;
}

/** The row of the epoch was not there, or not as it should be. */
export class NotCurrent extends Error {}

function fenced(epoch: Epoch): StoreError {
  return new StoreError('fenced', `epoch ${epoch} is over: other servers have taken what it held`);
}
