import { spawnSync } from 'node:child_process';
import { WebSocket } from 'ws';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { temporaryDirectory } from './directories.ts';
import { start } from './processes.ts';

const PROGRAMS = ['firefox-esr', 'firefox'];
const program = PROGRAMS.find((name) => spawnSync(name, ['--version']).status === 0);

/** Why Firefox can't run here, for `skip`; false: it can. Where everything has to be tested it is an error. */
export const noFirefox = whyNot();

function whyNot(): string | false {
  if (program !== undefined) return false;
  const reason = 'there is no Firefox; on Debian: apt-get install -y firefox-esr';
  if (process.env['CI'] !== undefined) throw new Error(reason);
  return reason;
}

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly message?: string;
}

/** One page of a real Firefox, driven by WebDriver BiDi. */
export class Firefox {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #last = 0;
  #context = '';

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#hear(JSON.parse(String(data)) as Answer));
  }

  static async open(t: Cleanup): Promise<Firefox> {
    const profile = temporaryDirectory(t, 'firefox');
    const flags = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'];
    const running = start(t, [program as string, ...flags], { env: { HOME: profile } });
    const [, address = ''] = await running.output(/WebDriver BiDi listening on (ws:\S+)/, { timeout: 60_000 });
    const socket = new WebSocket(`${address}/session`);
    cleanUp(t, () => socket.terminate());
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const firefox = new Firefox(socket);
    await firefox.#ask('session.new', { capabilities: {} });
    const tree = (await firefox.#ask('browsingContext.getTree', {})) as { contexts: { context: string }[] };
    firefox.#context = tree.contexts[0]?.context ?? '';
    return firefox;
  }

  async goto(url: string): Promise<void> {
    await this.#ask('browsingContext.navigate', { context: this.#context, url, wait: 'complete' });
  }

  /** The text that an expression has in the page; a promise is waited for. */
  async text(expression: string): Promise<string> {
    const target = { context: this.#context };
    const params = { expression: `Promise.resolve(${expression}).then(String)`, target, awaitPromise: true };
    const { result } = (await this.#ask('script.evaluate', params)) as { result?: { value?: string } };
    return result?.value ?? '';
  }

  #ask(method: string, params: object): Promise<unknown> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  #hear({ id, result, message }: Answer): void {
    if (id === undefined) return;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (result === undefined) waiting?.reject(new Error(message ?? 'an answer without a result'));
    else waiting?.resolve(result);
  }
}
