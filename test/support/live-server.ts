import type { ServerOptions } from '../../src/server/config.ts';
import { type RunningServer, startServer } from '../../src/server/server.ts';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { temporaryDirectory } from './directories.ts';

/** A real server on a free port, with its data in a directory that goes when the test ends. */
export class LiveServer {
  readonly dataDir: string;
  #running: RunningServer;

  private constructor(running: RunningServer) {
    this.#running = running;
    this.dataDir = running.dataDir;
  }

  static async start(t: Cleanup, options: ServerOptions = {}): Promise<LiveServer> {
    const dataDir = options.dataDir ?? temporaryDirectory(t, 'server');
    const server = new LiveServer(await startServer({ port: 0, logLevel: 'silent', ...options, dataDir }));
    cleanUp(t, () => server.stop());
    return server;
  }

  get running(): RunningServer {
    return this.#running;
  }

  get core(): RunningServer['core'] {
    return this.#running.core;
  }

  get url(): string {
    return this.#running.url;
  }

  get admin(): string {
    return this.#running.adminToken;
  }

  /** The token of the join link. */
  get work(): string {
    return new URL(this.#running.joinUrl).hash.slice(1);
  }

  stop(): Promise<void> {
    return this.#running.close();
  }

  /** Another server on the same data and port. */
  async restart(options: ServerOptions = {}): Promise<void> {
    const port = Number(new URL(this.url).port);
    await this.stop();
    this.#running = await startServer({ logLevel: 'silent', ...options, dataDir: this.dataDir, port });
  }

  async token(role: 'admin' | 'submit' | 'work' | 'read', expiresIn?: number): Promise<{ token: string; id: string }> {
    const answer = await this.api('POST', '/v1/tokens', { role, ...(expiresIn === undefined ? {} : { expiresIn }) });
    return (await answer.json()) as { token: string; id: string };
  }

  api(method: string, path: string, body?: unknown, token = this.admin): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }
}
