import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createDeflateRaw, deflateRawSync } from 'node:zlib';

const STORED = 0;
const DEFLATED = 8;
/** Names are UTF-8; sizes and sum follow the content. */
const UTF8 = 0x800;
const SIZES_FOLLOW = 0x8;
const VERSION = 20;
const VERSION_64 = 45;
const MADE_BY_UNIX = 3 << 8;
const PLAIN_FILE = 0o100644;
/** What stands in four bytes where the number takes eight, which are elsewhere. */
const ELSEWHERE = 0xffff_ffff;
/** Bytes below which nothing is won by packing. */
const WORTH_PACKING = 128;

interface Entry {
  readonly name: Buffer;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly at: number;
  /** Sum and sizes came after the content. */
  readonly isStreamed: boolean;
}

/**
 * A zip archive, written from its beginning to its end: what is in memory is the list of names that stands at its end.
 * Files and archives beyond 4 GiB have the fields of Zip64.
 */
export class Zip {
  readonly #stamp: number;
  readonly #directory: Buffer[] = [];
  #at = 0;

  /** All files get this time, in milliseconds since 1970. */
  constructor(modifiedAt: number) {
    this.#stamp = stampOf(new Date(modifiedAt));
  }

  get files(): number {
    return this.#directory.length;
  }

  /** A file whose bytes are here. `isDense`: they are packed already, as pictures are. */
  *whole(name: string, bytes: Uint8Array, isDense: boolean): Generator<Uint8Array> {
    const packs = !isDense && bytes.length > WORTH_PACKING;
    const content = packs ? deflateRawSync(bytes, { level: 1 }) : bytes;
    const entry: Entry = {
      name: Buffer.from(name),
      method: packs ? DEFLATED : STORED,
      crc: crc32(bytes),
      packed: content.length,
      size: bytes.length,
      at: this.#at,
      isStreamed: false,
    };
    yield* this.#put(localHead(entry, this.#stamp), content);
    this.#directory.push(centralHead(entry, this.#stamp));
  }

  /** A file whose bytes come one after the other. */
  async *streamed(name: string, parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const at = this.#at;
    const unknown = { name: Buffer.from(name), method: DEFLATED, crc: 0, packed: 0, size: 0, at, isStreamed: true };
    yield* this.#put(localHead(unknown, this.#stamp));
    const begin = this.#at;
    let crc = 0;
    let size = 0;
    const counted = async function* () {
      for await (const part of parts) {
        crc = crc32(part, crc);
        size += part.length;
        // A piece is lent until the next one is asked for, and the packer asks ahead.
        yield Buffer.from(part);
      }
    };
    const packer = createDeflateRaw({ level: 1 });
    const fed = pipeline(Readable.from(counted(), { objectMode: true, highWaterMark: 1 }), packer);
    // Whoever leaves early ends the packer, which the feeding then complains about.
    fed.catch(() => {});
    for await (const part of packer) yield* this.#put(part as Buffer);
    await fed;
    const entry = { ...unknown, crc, packed: this.#at - begin, size };
    yield* this.#put(descriptor(entry));
    this.#directory.push(centralHead(entry, this.#stamp));
  }

  /** The list of all files, and where it is. */
  *end(): Generator<Uint8Array> {
    const at = this.#at;
    for (const head of this.#directory) yield* this.#put(head);
    const size = this.#at - at;
    const isLarge = at >= ELSEWHERE || size >= ELSEWHERE || this.files >= 0xffff;
    if (isLarge) yield* this.#put(end64(this.files, at, size));
    yield* this.#put(endHead(this.files, at, size, isLarge));
  }

  *#put(...parts: Uint8Array[]): Generator<Uint8Array> {
    for (const part of parts) {
      this.#at += part.length;
      yield part;
    }
  }
}

/** Numbers of two, four and eight bytes, the smallest byte first. */
function packed(...fields: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]): Buffer {
  const buffer = Buffer.alloc(fields.reduce((sum, [bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [bytes, value] of fields) {
    if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value), at);
    else buffer.writeUIntLE(value, at, bytes);
    at += bytes;
  }
  return buffer;
}

function localHead({ name, method, crc, packed: length, size, isStreamed }: Entry, stamp: number): Buffer {
  const extra = isStreamed ? packed([2, 1], [2, 16], [8, 0], [8, 0]) : Buffer.alloc(0);
  const head = packed(
    [4, 0x0403_4b50],
    [2, isStreamed ? VERSION_64 : VERSION],
    [2, isStreamed ? UTF8 | SIZES_FOLLOW : UTF8],
    [2, method],
    [4, stamp],
    [4, crc],
    [4, isStreamed ? ELSEWHERE : length],
    [4, isStreamed ? ELSEWHERE : size],
    [2, name.length],
    [2, extra.length],
  );
  return Buffer.concat([head, name, extra]);
}

function descriptor({ crc, packed: length, size }: Entry): Buffer {
  return packed([4, 0x0807_4b50], [4, crc], [8, length], [8, size]);
}

function centralHead({ name, method, crc, packed: length, size, at, isStreamed }: Entry, stamp: number): Buffer {
  const isLarge = isStreamed || at >= ELSEWHERE;
  const extra = isLarge ? packed([2, 1], [2, 24], [8, size], [8, length], [8, at]) : Buffer.alloc(0);
  const head = packed(
    [4, 0x0201_4b50],
    [2, MADE_BY_UNIX | VERSION_64],
    [2, isLarge ? VERSION_64 : VERSION],
    [2, isStreamed ? UTF8 | SIZES_FOLLOW : UTF8],
    [2, method],
    [4, stamp],
    [4, crc],
    [4, isLarge ? ELSEWHERE : length],
    [4, isLarge ? ELSEWHERE : size],
    [2, name.length],
    [2, extra.length],
    // No comment, on the first disk, of no inner kind.
    [2, 0],
    [2, 0],
    [2, 0],
    [4, PLAIN_FILE * 0x1_0000],
    [4, isLarge ? ELSEWHERE : at],
  );
  return Buffer.concat([head, name, extra]);
}

function end64(files: number, at: number, size: number): Buffer {
  return packed(
    [4, 0x0606_4b50],
    [8, 44],
    [2, MADE_BY_UNIX | VERSION_64],
    [2, VERSION_64],
    [4, 0],
    [4, 0],
    [8, files],
    [8, files],
    [8, size],
    [8, at],
    // Where this itself is, on the only disk.
    [4, 0x0706_4b50],
    [4, 0],
    [8, at + size],
    [4, 1],
  );
}

function endHead(files: number, at: number, size: number, isLarge: boolean): Buffer {
  return packed(
    [4, 0x0605_4b50],
    [2, 0],
    [2, 0],
    [2, isLarge ? 0xffff : files],
    [2, isLarge ? 0xffff : files],
    [4, isLarge ? ELSEWHERE : size],
    [4, isLarge ? ELSEWHERE : at],
    [2, 0],
  );
}

/** Date and time as DOS wrote them: from 1980 on, in steps of two seconds. Of no zone; ours is UTC. */
function stampOf(date: Date): number {
  const years = Math.min(127, Math.max(0, date.getUTCFullYear() - 1980));
  const day = (years << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
  const time = (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
  return day * 0x1_0000 + time;
}
