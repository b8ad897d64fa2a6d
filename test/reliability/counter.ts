import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';

/** Hears of each start of a task from the task itself, so that executions are counted by nobody who could be wrong. */
export class Counter {
  /** Attempts by the key of their task. */
  readonly starts = new Map<string, string[]>();
  /** The address that each attempt came from. */
  readonly places = new Map<string, string>();
  readonly #host: string;
  #port = 0;

  private constructor(host: string) {
    this.#host = host;
  }

  static async start(t: Cleanup, host = '127.0.0.1'): Promise<Counter> {
    const counter = new Counter(host);
    const server = createServer((request, response) => {
      const [key, attempt] = (request.url ?? '').slice(1).split('/') as [string, string];
      counter.starts.set(key, [...(counter.starts.get(key) ?? []), attempt]);
      counter.places.set(attempt, request.socket.remoteAddress ?? '');
      response.setHeader('x-starts', counter.starts.get(key)?.length ?? 0);
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    counter.#port = (server.address() as AddressInfo).port;
    cleanUp(t, () => {
      server.closeAllConnections();
      server.close();
    });
    return counter;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://${this.#host}:${this.#port}`;
  }
}
