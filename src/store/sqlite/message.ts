import type { Write } from '../../model/records.ts';

/**
 * How a group of writes crosses to the store's thread: one JSON text, and all bytes in one buffer that is handed over.
 * Cloning the writes as they are would clone the whole pool that a small view points into.
 */
export interface PackedWrites {
  readonly text: string;
  readonly bytes: ArrayBuffer;
}

/** A write without its bytes, and how many they are. */
type Bare = { readonly bytes?: number };

export function packWrites(writes: readonly Write[]): PackedWrites {
  const parts: Uint8Array[] = [];
  let total = 0;
  const bare = writes.map((write) => {
    const part = bytesOf(write);
    if (part === undefined) return write;
    parts.push(part);
    total += part.length;
    if (write.kind === 'block')
      return { kind: 'block', block: { ...write.block, ended: undefined }, bytes: part.length };
    return { ...write, column: undefined, bytes: part.length };
  });
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return { text: JSON.stringify(bare), bytes: bytes.buffer };
}

export function unpackWrites(packed: PackedWrites): Write[] {
  const writes = JSON.parse(packed.text) as (Write & Bare)[];
  let at = 0;
  return writes.map((write) => {
    if (write.bytes === undefined) return write;
    const part = new Uint8Array(packed.bytes, at, write.bytes);
    at += write.bytes;
    if (write.kind === 'block') return { kind: 'block', block: { ...write.block, ended: part } };
    return { ...write, column: part } as Write;
  });
}

function bytesOf(write: Write): Uint8Array | undefined {
  if (write.kind === 'inputs' || write.kind === 'segment') return write.column;
  return write.kind === 'block' ? write.block.ended : undefined;
}
