import { closeSync, openSync, write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

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
  readonly #fd: number;
  readonly #own: boolean;
  readonly isTerminal: boolean;

  private constructor(fd: number, own: boolean, isTerminal: boolean) {
    this.#fd = fd;
    this.#own = own;
    this.isTerminal = isTerminal;
  }

  static stdout(): Out {
    return new Out(1, false, process.stdout.isTTY === true);
  }

  static file(path: string): Out {
    return new Out(openSync(path, 'w'), true, false);
  }

  /** Rejects with {@link OutputClosed} when nobody reads any more. One call at a time. */
  async write(data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    for (let at = 0; at < bytes.length; ) {
      try {
        at += await this.#once(bytes, at);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EPIPE' || code === 'ECONNRESET') throw new OutputClosed('nobody reads the output');
        if (code !== 'EAGAIN') throw error;
        await sleep(FULL_PIPE_PAUSE);
      }
    }
  }

  #once(bytes: Uint8Array, at: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.#fd, bytes, at, bytes.length - at, null, (error, written) =>
        error ? reject(error) : resolve(written),
      );
    });
  }

  close(): void {
    if (this.#own) closeSync(this.#fd);
  }
}
