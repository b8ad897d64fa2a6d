import { setTimeout as sleep } from 'node:timers/promises';
import { DB_RETRY_MAX, DB_RETRY_MIN, DB_STATEMENT_TIME } from '../../model/server-limits.ts';
import { StoreError } from '../store.ts';
import { Connection, type ConnectionSettings, together } from './connection.ts';
import { failureOf } from './failure.ts';

/** What is sent before the end of a transaction, not yet answered, and what it all comes to if the end is good. */
export interface Sent<Value> {
  readonly value: Value;
  readonly sent: readonly Promise<unknown>[];
}

/**
 * A connection, and those who wait for it: one after the other, in the order in which they came (D15). Whoever finds it lost
 * tries again on a new one, for as long as its patience lasts (F-38).
 */
export class Line {
  readonly #settings: ConnectionSettings;
  readonly #patience: number;
  #connection: Connection | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(settings: ConnectionSettings, patience: number) {
    this.#settings = settings;
    this.#patience = patience;
  }

  /** Resolves once all that have come so far have been served. */
  get served(): Promise<unknown> {
    return this.#tail;
  }

  /** `act` may be run several times: only once to its end, but the first may have got there without an answer. */
  run<Value>(act: (connection: Connection) => Promise<Value>): Promise<Value> {
    const result = this.#tail.then(() => this.#patiently(act));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** The last one closes the connection. */
  async close(): Promise<void> {
    const served = this.#tail;
    this.#tail = Promise.reject(new StoreError('broken', 'the store is closed'));
    this.#tail.catch(() => undefined);
    await served;
    this.#closed = true;
    await this.#connection?.close();
  }

  /** The process dies: nothing is answered any more. */
  cut(): void {
    this.#closed = true;
    this.#connection?.cut();
    this.#tail = new Promise(() => {});
  }

  async #patiently<Value>(act: (connection: Connection) => Promise<Value>): Promise<Value> {
    const until = performance.now() + this.#patience;
    for (let wait = DB_RETRY_MIN; ; wait = Math.min(2 * wait, DB_RETRY_MAX)) {
      try {
        return await this.#once(act, until);
      } catch (error) {
        const failure = failureOf(error);
        if (failure.kind === 'final' || this.#closed || performance.now() + wait > until) throw failure.error;
      }
      await sleep(wait);
    }
  }

  async #once<Value>(act: (connection: Connection) => Promise<Value>, until: number): Promise<Value> {
    if (this.#connection === undefined || this.#connection.isLost) {
      this.#connection = await Connection.open(this.#settings);
      if (this.#closed) this.#connection.cut();
    }
    const connection = this.#connection;
    const left = Math.max(0, until - performance.now());
    const hung = setTimeout(() => connection.cut(), Math.min(DB_STATEMENT_TIME, left));
    try {
      return await act(connection);
    } catch (error) {
      // It said so, but it may take a while until its socket knows.
      if (failureOf(error).kind === 'lost') connection.cut();
      throw error;
    } finally {
      clearTimeout(hung);
    }
  }
}

/** All of what `act` sends, or nothing. Its end is sent together with what `act` does not wait for. */
export async function transaction<Value>(
  connection: Connection,
  act: () => Promise<Sent<Value>>,
  beforeEnd: (value: Value) => void = () => {},
): Promise<Value> {
  const begun = connection.plain('BEGIN');
  try {
    const [, { value, sent }] = await together([begun, act()]);
    beforeEnd(value);
    const [, { command }] = await together([Promise.all(sent), connection.plain('COMMIT')]);
    if (command !== 'COMMIT') throw new StoreError('broken', 'PostgreSQL undid a transaction without saying why');
    return value;
  } catch (error) {
    if (!connection.isLost) await connection.plain('ROLLBACK').catch(() => connection.cut());
    throw error;
  }
}
