import { BuildFailure } from './failure.ts';

/** What of a program is loaded, and where its tables are: ELF of 64 bits, little-endian, as both architectures have it. */
interface Segment {
  readonly kind: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

const LOADED = 1;
const DYNAMIC = 2;
const NEEDED = 1n;
const STRINGS = 5n;

function segmentsOf(file: Buffer): Segment[] {
  if (file.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') throw new BuildFailure('a program is not ELF of 64 bits');
  const table = Number(file.readBigUInt64LE(32));
  const [size, count] = [file.readUInt16LE(54), file.readUInt16LE(56)];
  return Array.from({ length: count }, (_, i) => {
    const at = table + i * size;
    const number = (offset: number): number => Number(file.readBigUInt64LE(at + offset));
    return { kind: file.readUInt32LE(at), offset: number(8), address: number(16), size: number(32) };
  });
}

/** The program without symbols and tables of sections, which lie behind all that is ever loaded. */
export function withoutSymbols(file: Buffer): Buffer {
  const end = Math.max(...segmentsOf(file).map(({ offset, size }) => offset + size));
  const program = Buffer.from(file.subarray(0, end));
  program.writeBigUInt64LE(0n, 40);
  // The size, number and names of sections.
  program.fill(0, 58, 64);
  return program;
}

/** The libraries that a program or library names. */
export function librariesOf(file: Buffer): string[] {
  const segments = segmentsOf(file);
  const dynamic = segments.find(({ kind }) => kind === DYNAMIC);
  if (dynamic === undefined) return [];
  const names: number[] = [];
  let strings = 0;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    const value = Number(file.readBigUInt64LE(at + 8));
    if (file.readBigUInt64LE(at) === NEEDED) names.push(value);
    if (file.readBigUInt64LE(at) === STRINGS) strings = value;
  }
  const holder = segments.find(
    ({ kind, address, size }) => kind === LOADED && address <= strings && strings < address + size,
  );
  if (holder === undefined) return [];
  return names.map((name) => textAt(file, strings - holder.address + holder.offset + name));
}

/** What a module of the kernel says of itself: `depends`, `alias` and others, each maybe several times. */
export function moduleFacts(file: Buffer): [key: string, value: string][] {
  const table = Number(file.readBigUInt64LE(40));
  const [size, count, names] = [file.readUInt16LE(58), file.readUInt16LE(60), file.readUInt16LE(62)];
  const section = (i: number): { name: number; start: number; length: number } => {
    const at = table + i * size;
    const number = (offset: number): number => Number(file.readBigUInt64LE(at + offset));
    return { name: file.readUInt32LE(at), start: number(24), length: number(32) };
  };
  const { start: strings } = section(names);
  for (let i = 0; i < count; i++) {
    const { name, start, length } = section(i);
    if (textAt(file, strings + name) !== '.modinfo') continue;
    const facts = file.toString('latin1', start, start + length).split('\0');
    return facts.flatMap((fact): [string, string][] => {
      const equals = fact.indexOf('=');
      return equals > 0 ? [[fact.slice(0, equals), fact.slice(equals + 1)]] : [];
    });
  }
  return [];
}

function textAt(file: Buffer, at: number): string {
  return file.toString('latin1', at, file.indexOf(0, at));
}
