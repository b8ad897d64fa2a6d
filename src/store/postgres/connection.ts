import { Socket } from 'node:net';
import pg from 'pg';
import { DB_CONNECT_TIME, DB_PAUSE_IN_TRANSACTION } from '../../model/server-limits.ts';

/** A statement that PostgreSQL plans once for each connection, by its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

// biome-ignore lint/suspicious/noExplicitAny: a row is what its statement selects.
export type Row = Record<string, any>;

export interface Rows {
  readonly rows: Row[];
  /** Rows that were changed or returned. */
  readonly count: number;
  /** What PostgreSQL says it did, such as `COMMIT`. */
  readonly command: string;
}

export interface ConnectionSettings {
  readonly url: string;
  /** Plans statements once: not where a pooler gives each transaction another connection and does not keep track. */
  readonly prepares: boolean;
}

const INT8 = 20;

/**
 * Each statement finds a few rows by an index. Where tables are small, or were when the statement was planned, to read them whole looks
 * as good: it is not once they are full of old versions that nobody may clear away.
 */
const BY_INDEX = ['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin'].map((way) => `SET ${way} = off`);

/** One connection. What is asked is sent at once, and answered in this order: nothing waits for what was asked before. */
export class Connection {
  /** Nothing will be answered any more. */
  isLost = false;
  onNotification: (said: string | undefined) => void = () => {};
  onLost: () => void = () => {};
  readonly #client: pg.Client;
  readonly #socket = new Socket();
  readonly #prepares: boolean;

  private constructor({ url, prepares }: ConnectionSettings) {
    this.#prepares = prepares;
    this.#client = new pg.Client({
      connectionString: url,
      application_name: 'manyhands',
      pipeline: true,
      keepAlive: true,
      connectionTimeoutMillis: DB_CONNECT_TIME,
      stream: () => this.#socket,
      types: { getTypeParser: ((oid: number, format: never) => this.#parser(oid, format)) as never },
    });
    this.#client.on('error', () => this.#lose());
    this.#client.on('end', () => this.#lose());
    this.#client.on('notification', ({ payload }) => this.onNotification(payload));
  }

  static async open(settings: ConnectionSettings): Promise<Connection> {
    const connection = new Connection(settings);
    try {
      await connection.#client.connect();
      await connection.plain(
        [`SET idle_in_transaction_session_timeout = ${DB_PAUSE_IN_TRANSACTION}`, ...BY_INDEX].join('; '),
      );
    } catch (error) {
      connection.cut();
      throw error;
    }
    return connection;
  }

  async query({ name, text }: Statement, values: readonly unknown[]): Promise<Rows> {
    const query = this.#prepares ? { name, text, values: [...values] } : { text, values: [...values] };
    return rowsOf(await this.#client.query(query));
  }

  /** A text without parameters, not planned ahead: of several statements the last one answers. */
  async plain(text: string): Promise<Rows> {
    return rowsOf(await this.#client.query(text));
  }

  /** Without a goodbye: what is under way is lost, or not. */
  cut(): void {
    this.#lose();
    this.#socket.destroy();
  }

  async close(): Promise<void> {
    if (this.isLost) return;
    this.onLost = () => {};
    this.isLost = true;
    await this.#client.end().catch(() => undefined);
  }

  #lose(): void {
    if (this.isLost) return;
    this.isLost = true;
    this.onLost();
  }

  /** Our whole numbers fit into those of JavaScript. */
  #parser(oid: number, format: never): unknown {
    return oid === INT8 ? Number : pg.types.getTypeParser(oid, format);
  }
}

function rowsOf(result: pg.QueryResult | pg.QueryResult[]): Rows {
  const { rows, rowCount, command } = Array.isArray(result) ? (result.at(-1) as pg.QueryResult) : result;
  return { rows, count: rowCount ?? 0, command };
}

/** All of what was sent together: the first that failed says why, since the others failed with it. */
export async function together<Answers extends readonly unknown[]>(
  sent: readonly [...{ [At in keyof Answers]: Promise<Answers[At]> | Answers[At] }],
): Promise<Answers> {
  const settled = await Promise.allSettled(sent);
  const failed = settled.find((each) => each.status === 'rejected');
  if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  return settled.map((each) => (each as PromiseFulfilledResult<unknown>).value) as unknown as Answers;
}
