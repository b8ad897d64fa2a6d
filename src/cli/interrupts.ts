import { constants } from 'node:os';
import { ExitCode } from './errors.ts';

/**
 * Ctrl-C: the first asks politely, the second leaves at once. A closed terminal or a `kill` leaves at once too: what a
 * server keeps goes on without us.
 */
export class Interrupts {
  #count = 0;
  readonly #polite: () => void;
  readonly #handlers: [NodeJS.Signals, () => void][];

  /** `gone`: says what becomes of things before this program is ended by a signal. */
  constructor(polite: () => void, gone: () => void = () => {}) {
    this.#polite = polite;
    const leave = (signal: 'SIGTERM' | 'SIGHUP'): never => {
      gone();
      process.exit(128 + constants.signals[signal]);
    };
    this.#handlers = [
      ['SIGINT', () => this.#interrupt()],
      ['SIGTERM', () => leave('SIGTERM')],
      ['SIGHUP', () => leave('SIGHUP')],
    ];
    for (const [signal, handler] of this.#handlers) process.on(signal, handler);
  }

  get interrupted(): boolean {
    return this.#count > 0;
  }

  end(): void {
    for (const [signal, handler] of this.#handlers) process.off(signal, handler);
  }

  #interrupt(): void {
    this.#count += 1;
    if (this.#count > 1) process.exit(ExitCode.interrupted);
    this.#polite();
  }
}
