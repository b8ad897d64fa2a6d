import { closeSync, constants, fstatSync, ftruncateSync, openSync, write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, ExitCode, systemWords, UsageError, whyNotMade } from '../errors.ts';

/** The reader has gone, as `head` does when it has seen enough: no failure, but nothing more is wanted. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed';
}

/** Milliseconds between two tries on a pipe that is full and refuses to wait. */
const FULL_PIPE_PAUSE = 2;

/**
 * A file or pipe that is written in order and in big pieces. `process.stdout` would block this whole process, an embedded
 * server included, while a slow reader thinks; here only the writer waits.
 */
export class Out {
  readonly isTerminal: boolean;
  readonly #fd: number;
  /** Of a file of our own; for people. */
  readonly #path: string | undefined;
  #isEmpty = false;

  private constructor(fd: number, path: string | undefined, isTerminal: boolean) {
    this.#fd = fd;
    this.#path = path;
    this.isTerminal = isTerminal;
  }

  static stdout(): Out {
    return new Out(1, undefined, process.stdout.isTTY === true);
  }

  /** What the file holds is lost only once there is something to put in its place: see {@link start}. */
  static file(path: string): Out {
    try {
      return new Out(openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o666), path, false);
    } catch (error) {
      throw new UsageError(`--out: ${path} can't be written: ${whyNotMade(path, error)}`, { cause: error });
    }
  }

  /** From here on the file holds what is written and nothing else. The first write does it too. */
  start(): void {
    if (this.#path === undefined || this.#isEmpty) return;
    this.#isEmpty = true;
    if (fstatSync(this.#fd).isFile()) ftruncateSync(this.#fd);
  }

  /** Rejects with {@link OutputClosed} when nobody reads any more. One call at a time. */
  async write(data: Uint8Array | string): Promise<void> {
    this.start();
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    for (let at = 0; at < bytes.length; ) {
      try {
        at += await this.#once(bytes, at);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EPIPE' || code === 'ECONNRESET') throw new OutputClosed('nobody reads the output');
        if (code !== 'EAGAIN') throw this.#refused(error);
        await sleep(FULL_PIPE_PAUSE);
      }
    }
  }

  close(): void {
    if (this.#path !== undefined) closeSync(this.#fd);
  }

  #once(bytes: Uint8Array, at: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.#fd, bytes, at, bytes.length - at, null, (error, written) =>
        error ? reject(error) : resolve(written),
      );
    });
  }

  #refused(error: unknown): Error {
    const what = this.#path ?? 'standard output';
    return new CommandError(
      `${what} can't be written: ${systemWords(error) ?? (error as Error).message}`,
      ExitCode.failed,
      { cause: error },
    );
  }
}
