import { WebSocket } from 'ws';
import type { Role } from '../../src/model/records.ts';
import type { ServerOptions } from '../../src/server/config.ts';
import type { RunningServer } from '../../src/server/server.ts';
import { startWorker, type Worker, type WorkerOptions } from '../../src/worker/node/join.ts';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { assertDescribed } from './described.ts';
import { type Answer, type Asked, ask, begin } from './http.ts';
import { LiveServer } from './live-server.ts';

export const ROLES = ['admin', 'submit', 'work', 'read', 'enrol'] as const satisfies readonly Role[];

/** A real server on a free port with a token for each role, as programs meet it over HTTP. */
export class ServedFarm {
  readonly server: RunningServer;
  readonly port: number;
  readonly tokens: Readonly<Record<Role, string>>;
  readonly #t: Cleanup;

  private constructor(t: Cleanup, server: RunningServer, tokens: Record<Role, string>) {
    this.#t = t;
    this.server = server;
    this.port = Number(new URL(server.url).port);
    this.tokens = tokens;
  }

  /** Gone with its data when the test ends. */
  static async start(t: Cleanup, options: ServerOptions = {}): Promise<ServedFarm> {
    const server = (await LiveServer.start(t, options)).running;
    const tokens: Record<Role, string> = { admin: server.adminToken, submit: '', work: '', read: '', enrol: '' };
    const farm = new ServedFarm(t, server, tokens);
    for (const role of ['submit', 'work', 'read', 'enrol'] as const)
      tokens[role] = (await farm.makeToken({ role })).token;
    return farm;
  }

  /** As the administrator, unless a token is named; `null`: without one. What the API says must be as described. */
  async ask(
    method: string,
    path: string,
    more: Partial<Omit<Asked, 'token'>> & { token?: string | null } = {},
  ): Promise<Answer> {
    const { token = this.tokens.admin, ...rest } = more;
    const answer = await ask(this.port, { ...rest, method, path, ...(token === null ? {} : { token }) });
    if (path.startsWith('/v1/')) assertDescribed(method, path, answer);
    return answer;
  }

  /** The beginning of an answer that may have no end. */
  begin(path: string, more: Partial<Asked> = {}): ReturnType<typeof begin> {
    return begin(this.port, { token: this.tokens.admin, ...more, path });
  }

  /** Sends JSON, wants success, gives its JSON. */
  async json<Body = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Body> {
    const answer = await this.ask(method, path, body === undefined ? {} : jsonBody(body));
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return (answer.text === '' ? undefined : answer.json) as Body;
  }

  async makeToken(asked: { role: Role; name?: string; expiresIn?: number }): Promise<{ token: string; id: string }> {
    return await this.json<{ token: string; id: string }>('POST', '/v1/tokens', asked);
  }

  /** Submits a job and gives its number. */
  async submit(job: Record<string, unknown>): Promise<number> {
    return (await this.json<{ id: number }>('POST', '/v1/jobs', job)).id;
  }

  /** A real worker that has joined. */
  async join(slots = 1, more: Partial<WorkerOptions> = {}): Promise<Worker> {
    const worker = startWorker({ url: this.server.joinUrl, slots, name: 'helper', ...more });
    cleanUp(this.#t, () => worker.stop());
    await worker.joined;
    return worker;
  }

  socket(path: string, protocols: string[], headers: Record<string, string>): WebSocket {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}${path}`, protocols, { headers });
    cleanUp(this.#t, () => socket.terminate());
    return socket;
  }
}

export function jsonBody(body: unknown): { headers: Record<string, string>; body: string } {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
