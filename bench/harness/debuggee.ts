import { once } from 'node:events';
import { WebSocket } from 'ws';

interface Said {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly sessionId: string };
}

/**
 * All that can be collected: what the debugger's own command collects leaves a thread like that of the store with garbage
 * that looks like a leak.
 */
const COLLECT = {
  expression: [
    "process.getBuiltinModule('v8').setFlagsFromString('--expose-gc')",
    "process.getBuiltinModule('vm').runInNewContext('gc')({ type: 'major', flavor: 'last-resort' })",
  ].join('; '),
};

/** A process that is looked into through its debugger. */
export class Debuggee implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #threads: string[] = [];
  readonly #waiting = new Map<number, () => void>();
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#hear(JSON.parse(String(data)) as Said));
  }

  static async open(url: string): Promise<Debuggee> {
    const socket = new WebSocket(url);
    await once(socket, 'open');
    const debuggee = new Debuggee(socket);
    await debuggee.#ask('NodeWorker.enable', { waitForDebuggerOnStart: false });
    return debuggee;
  }

  /** On all of its threads; one that idles does it as soon as it is asked for something by its own program. */
  async collectGarbage(): Promise<void> {
    await this.#ask('Runtime.evaluate', COLLECT);
    const message = JSON.stringify({ id: 0, method: 'Runtime.evaluate', params: COLLECT });
    for (const sessionId of this.#threads) await this.#ask('NodeWorker.sendMessageToWorker', { sessionId, message });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }

  #ask(method: string, params: object): Promise<void> {
    const id = ++this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  #hear({ id, method, params }: Said): void {
    if (method === 'NodeWorker.attachedToWorker' && params !== undefined) this.#threads.push(params.sessionId);
    if (id === undefined) return;
    this.#waiting.get(id)?.();
    this.#waiting.delete(id);
  }
}
