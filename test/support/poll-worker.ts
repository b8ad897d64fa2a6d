import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { type Answer, ask } from './http.ts';
import type { Heard } from './raw-socket.ts';

const TYPE = { 'content-type': 'application/x-ndjson' };

/** A worker that polls (P26), whose every request is the test's. */
export class PollWorker {
  readonly session = randomBytes(16).toString('hex');
  readonly heard: Heard[] = [];
  /** Lines that it has sent and that have arrived. */
  sent = 0;
  readonly #port: number;
  readonly #token: string;

  constructor(port: number, token: string) {
    this.#port = port;
    this.#token = token;
  }

  path(sent = this.sent, seen = this.heard.length): string {
    return `/v1/worker/polls/${this.session}?sent=${sent}&seen=${seen}`;
  }

  /** A poll, whatever becomes of it: nothing is counted. */
  ask(lines: readonly object[] = [], path = this.path()): Promise<Answer> {
    return ask(this.#port, { method: 'POST', path, token: this.#token, headers: TYPE, body: textOf(lines) });
  }

  /** A poll that succeeds. */
  async poll(...lines: object[]): Promise<Heard[]> {
    const { status, text } = await this.ask(lines);
    if (status !== 200) throw new Error(`${status} ${text}`);
    this.sent += lines.length;
    const news = messagesIn(text);
    this.heard.push(...news);
    return news;
  }

  /** Polls until it has heard so many messages of a kind. */
  async hears(kind: string, count = 1): Promise<Heard[]> {
    while (this.of(kind).length < count) await this.poll();
    return this.of(kind);
  }

  of(kind: string): Heard[] {
    return this.heard.filter((message) => message.kind === kind);
  }

  /** A poll that leaves no trace here; the function cuts its connection. */
  askToBeCut(lines: readonly object[] = []): () => void {
    const headers = { ...TYPE, authorization: `Bearer ${this.#token}` };
    const asked = request({ port: this.#port, method: 'POST', path: this.path(), headers, agent: false });
    asked.on('error', () => {});
    asked.end(textOf(lines));
    return () => asked.destroy();
  }
}

export function messagesIn(text: string): Heard[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Heard);
}

function textOf(lines: readonly object[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}
