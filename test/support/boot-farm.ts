import { connect, type Farm } from '../../src/index.ts';
import type { BootConfig } from '../../src/server/boot/boot-config.ts';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { temporaryDirectory } from './directories.ts';
import { freePort } from './free-port.ts';
import { HOST } from './machine.ts';
import { type Running, startManyhands } from './processes.ts';
import { waitFor } from './wait.ts';

/** A `manyhands serve` as a person starts it, which machines of QEMU reach. It can be killed and started again. */
export class BootFarm {
  readonly farm: Farm;
  readonly #t: Cleanup;
  readonly #data: string;
  #port: number;
  readonly #token: string;
  readonly #work: string;
  readonly #more: readonly string[];
  #server: Running;

  private constructor(
    t: Cleanup,
    data: string,
    port: number,
    more: readonly string[],
    { server, started }: Served,
    farm: Farm,
  ) {
    this.#more = more;
    this.#t = t;
    this.#data = data;
    this.#server = server;
    this.#port = port;
    this.#token = tokenIn(started.dashboardUrl);
    this.#work = tokenIn(started.joinUrl);
    this.farm = farm;
  }

  /** `more`: further arguments of `manyhands serve`. */
  static async start(t: Cleanup, ...more: string[]): Promise<BootFarm> {
    const data = temporaryDirectory(t, 'boot-farm');
    // Machines are told it before it is started, and once more when it is started again.
    const port = await freePort();
    const served = await serve(t, data, port, more);
    const { started } = served;
    const farm = await connect({ url: `http://127.0.0.1:${port}`, token: tokenIn(started.dashboardUrl) });
    cleanUp(t, () => farm.close());
    return new BootFarm(t, data, port, more, served, farm);
  }

  /** For a machine: where this farm is, and the token of the join link. */
  get config(): BootConfig {
    return { server: [`http://${HOST}:${this.#port}`], token: this.#work };
  }

  /** Where machines reach it. */
  get origin(): string {
    return `http://${HOST}:${this.#port}`;
  }

  /** For programs on this machine. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What a command line of `manyhands` needs to find it. */
  get options(): string[] {
    return ['--url', this.url];
  }

  get environment(): Record<string, string> {
    return { MANYHANDS_TOKEN: this.#token };
  }

  /** Another token for machines. */
  async makeToken(): Promise<{ token: string; id: string }> {
    return await this.ask('POST', '/v1/tokens', { role: 'work' });
  }

  async kill(): Promise<void> {
    await this.#server.kill();
  }

  async restart(): Promise<void> {
    ({ server: this.#server } = await serve(this.#t, this.#data, this.#port, this.#more));
    // The latest is cleaned up first, and the farm is to be closed before its server is gone.
    cleanUp(this.#t, () => this.farm.close());
  }

  async ask<Body>(method: string, path: string, body?: unknown): Promise<Body> {
    const headers = { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(`${this.url}${path}`, { method, headers, ...sent });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    const text = await answer.text();
    return (text === '' ? undefined : JSON.parse(text)) as Body;
  }

  /** The same farm at another address, after it was killed. This program's own connection does not follow. */
  async move(): Promise<void> {
    this.#port = await freePort();
    await this.restart();
  }

  /** Waits until so many workers have joined, and gives them. */
  async joined(count = 1, timeout = 180_000): Promise<BootWorker[]> {
    const look = async (): Promise<BootWorker[] | undefined> => {
      const { workers } = await this.ask<{ workers: BootWorker[] }>('GET', '/v1/workers');
      const here = workers.filter(({ state }) => state === 'ready');
      return here.length >= count ? here : undefined;
    };
    return await waitFor(look, { what: `${count} machines to join`, timeout, interval: 100 });
  }
}

export interface BootWorker {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly kind: string;
  readonly slots: number;
  readonly busy: number;
  readonly labels: Readonly<Record<string, string>>;
}

interface Started {
  readonly url: string;
  readonly dashboardUrl: string;
  readonly joinUrl: string;
}

interface Served {
  readonly server: Running;
  readonly started: Started;
}

async function serve(t: Cleanup, data: string, port: number, more: readonly string[]): Promise<Served> {
  const args = [
    ...['serve', '--port', String(port), '--public-url', `http://${HOST}:${port}`, '--data', data, '--json'],
    ...more,
  ];
  const server = startManyhands(t, args);
  const [line] = await server.output(/^\{"url".*\}$/m, { stream: 'stdout', timeout: 60_000 });
  return { server, started: JSON.parse(line) };
}

function tokenIn(link: string): string {
  return new URL(link).hash.slice(1);
}
