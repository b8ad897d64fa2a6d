import { DB_RETRY_MAX, HINT_SPACING } from '../../model/server-limits.ts';
import { Connection, type ConnectionSettings } from './connection.ts';

/**
 * Hints to the other servers, on a connection of their own and never inside of a commit: NOTIFY makes the transactions that hold
 * one wait for each other. Those that get lost, or cannot be had behind a pooler, cost a pulse interval.
 */
export class Hints {
  readonly #settings: ConnectionSettings;
  readonly #heard: () => void;
  #connection: Connection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  /** The process on the other side, whose own hints are not for us. */
  readonly #name = `${process.pid}-${Math.random().toString(36).slice(2)}`;

  constructor(settings: ConnectionSettings, heard: () => void) {
    this.#settings = settings;
    this.#heard = heard;
    void this.#listen();
  }

  /** Several that come at once are one. */
  hint(): void {
    if (this.#closed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#connection?.plain(`NOTIFY manyhands, '${this.#name}'`).catch(() => undefined);
    }, HINT_SPACING).unref();
  }

  async close(): Promise<void> {
    this.cut();
    await this.#connection?.close();
  }

  cut(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#retry);
    this.#connection?.cut();
  }

  async #listen(): Promise<void> {
    try {
      const connection = await Connection.open(this.#settings);
      if (this.#closed) return connection.cut();
      this.#connection = connection;
      connection.onNotification = (said) => {
        if (said !== this.#name && !this.#closed) this.#heard();
      };
      connection.onLost = () => this.#again();
      await connection.plain('LISTEN manyhands');
    } catch {
      this.#again();
    }
  }

  #again(): void {
    if (this.#closed) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#listen(), DB_RETRY_MAX).unref();
  }
}
