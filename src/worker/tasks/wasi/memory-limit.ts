const PAGE = 65_536;
const MEMORY_SECTION = 5;

/** Why a module cannot run within its limit. */
export class MemoryLimitError extends Error {}

/**
 * The module with the maximum of its own memory lowered to what `limit` bytes hold: from there on growing fails, as on a
 * machine that has no more. Bytes that are no module come back as they are; compiling them tells what is wrong.
 */
export function withMemoryLimit(bytes: Uint8Array, limit: number): Uint8Array {
  const pages = Math.floor(limit / PAGE);
  const reader = new Reader(bytes, 8);
  while (!reader.atEnd) {
    const start = reader.at;
    const id = reader.byte();
    const size = reader.number();
    const body = reader.at;
    if (id === MEMORY_SECTION) {
      const limited = limitedMemories(new Reader(bytes, body), pages);
      const section = [MEMORY_SECTION, ...written(limited.length), ...limited];
      return concatenated([bytes.subarray(0, start), Uint8Array.from(section), bytes.subarray(body + size)]);
    }
    reader.at = body + size;
  }
  return bytes;
}

/** A module of preview 1 has one memory; a shared or a 64-bit one is declared by further bits, which stay. */
function limitedMemories(reader: Reader, pages: number): number[] {
  const count = reader.number();
  const memories = written(count);
  for (let i = 0; i < count; i++) {
    const flags = reader.byte();
    const least = reader.number();
    const most = flags & 1 ? reader.number() : pages;
    if (least > pages) {
      const needs = Math.ceil((least * PAGE) / 1024);
      throw new MemoryLimitError(
        `it starts with ${needs} KiB of memory, and the job's limit for a task is ${Math.floor((pages * PAGE) / 1024)} KiB`,
      );
    }
    memories.push(flags | 1, ...written(least), ...written(Math.min(most, pages)));
  }
  return memories;
}

class Reader {
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  get atEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.at++] ?? 0;
  }

  /** Seven bits a byte, the lowest first; the eighth says that more follow. */
  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }
}

function written(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  while (left >= 128) {
    bytes.push((left % 128) | 128);
    left = Math.floor(left / 128);
  }
  return [...bytes, left];
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
