import { Fd, wasi } from '@bjorn3/browser_wasi_shim';
import { WASI_OUTPUT_BYTES } from '../../../model/wasi-limits.ts';

/** What we, and not the program, say of it. */
export class RefusedError extends Error {
  override readonly name = 'WasiError';

  constructor(message: string) {
    super(message);
    Object.defineProperty(this, 'stack', { value: undefined });
  }
}

/** One of the two streams that a program prints to. */
export class Printed extends Fd {
  readonly #name: string;
  readonly #hear: ((part: Uint8Array) => void) | undefined;
  readonly #parts: Uint8Array[] = [];
  #size = 0;

  constructor(name: string, hear?: (part: Uint8Array) => void) {
    super();
    this.#name = name;
    this.#hear = hear;
  }

  /** A pipe, which programs fill in large pieces, and not a terminal. */
  override fd_fdstat_get(): { ret: number; fdstat: wasi.Fdstat } {
    const fdstat = new wasi.Fdstat(wasi.FILETYPE_UNKNOWN, 0);
    fdstat.fs_rights_base = BigInt(wasi.RIGHTS_FD_WRITE);
    return { ret: wasi.ERRNO_SUCCESS, fdstat };
  }

  /** What is written is a copy already. */
  override fd_write(data: Uint8Array): { ret: number; nwritten: number } {
    this.#size += data.length;
    if (this.#size > WASI_OUTPUT_BYTES) {
      throw new RefusedError(`it printed more than ${WASI_OUTPUT_BYTES / 1024 / 1024} MiB to ${this.#name}`);
    }
    this.#parts.push(data);
    this.#hear?.(data);
    return { ret: wasi.ERRNO_SUCCESS, nwritten: data.length };
  }

  bytes(): Uint8Array {
    return this.tail(this.#size);
  }

  /** The last of it, at most so many bytes. */
  tail(most: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(most, this.#size));
    let at = bytes.length;
    for (let i = this.#parts.length - 1; i >= 0 && at > 0; i--) {
      const part = (this.#parts[i] as Uint8Array).subarray(-at);
      at -= part.length;
      bytes.set(part, at);
    }
    return bytes;
  }
}

/** Cuts what comes in pieces into lines. */
export class Lines {
  readonly #tell: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = '';

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  add(part: Uint8Array): void {
    const text = this.#rest + this.#decoder.decode(part, { stream: true });
    const end = text.lastIndexOf('\n');
    this.#rest = text.slice(end + 1);
    if (end >= 0) this.#tell(text.slice(0, end));
  }

  end(): void {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = '';
    if (rest !== '') this.#tell(rest);
  }
}
