import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { FarmError } from '../farm-error.ts';

/** What the process of an embedded farm says to the program that started it. */
export type FarmProcessNews =
  | {
      readonly kind: 'ready';
      readonly url: string;
      readonly token: string;
      readonly home: string;
      readonly runsPython: boolean;
    }
  | { readonly kind: 'failed'; readonly reason: string };

/** Milliseconds that it has to end by itself. */
const PATIENCE = 5_000;

/** A server and a worker for this program alone, in a process beside it that ends with it. */
export class FarmProcess {
  readonly url: string;
  readonly token: string;
  readonly runsPython: boolean;
  /** Resolves with a sentence when the process is gone, whoever wanted that. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ended: Promise<string>, { url, token, home, runsPython }: Ready) {
    this.#child = child;
    // It removes its files itself, unless it was killed.
    this.ended = ended.finally(() => rm(home, { recursive: true, force: true, maxRetries: 3 }).catch(() => {}));
    this.url = url;
    this.token = token;
    this.runsPython = runsPython;
  }

  /** `entry`: the module that the process runs. Rejects with a FarmError if it could not start. */
  static async start(entry: URL, slots: number | undefined, signal: AbortSignal | undefined): Promise<FarmProcess> {
    const child = fork(entry, [String(slots ?? '')], {
      // The flags of this process (an inspector's port, a loader) are not meant for it.
      execArgv: [],
      // A group of its own: Ctrl-C is meant for the program, and must not kill the tasks under it.
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const ended = once(child, 'exit').then(([code, killer]) => `its process ended (${killer ?? code})`);
    const abort = (): void => child.disconnect();
    signal?.addEventListener('abort', abort, { once: true });
    const news = await Promise.race([
      once(child, 'message').then(([message]) => message as FarmProcessNews),
      ended.then((reason): FarmProcessNews => ({ kind: 'failed', reason })),
    ]);
    signal?.removeEventListener('abort', abort);
    signal?.throwIfAborted();
    if (news.kind === 'failed') throw new FarmError('unreachable', `no farm could be started here: ${news.reason}`);
    // A program that has nothing left to do ends, and this process with it.
    child.unref();
    child.channel?.unref();
    return new FarmProcess(child, ended, news);
  }

  async close(): Promise<void> {
    this.#child.ref();
    if (this.#child.connected) this.#child.disconnect();
    const impatient = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE);
    await this.ended;
    clearTimeout(impatient);
  }
}

type Ready = FarmProcessNews & { kind: 'ready' };
