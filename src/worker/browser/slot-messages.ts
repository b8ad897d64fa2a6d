import type { PYODIDE_SNAPSHOT, PyodideFile } from '../../model/python.ts';
import type { FromTask, ToTask } from '../tasks/task-channel.ts';

/** Blobs that travel with a message, by their SHA-256. */
export type Blobs = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

export type PyodideParts = Readonly<Record<PyodideFile, Blob>> & { readonly [PYODIDE_SNAPSHOT]?: Blob };

/** What passes between a page and a slot, over a port of the slot's own. `bytes`: the column of a chunk, a blob, or code. */
export interface SlotPacket<Message = unknown> {
  readonly message: Message;
  readonly bytes?: Uint8Array<ArrayBuffer>;
  readonly blobs?: Blobs;
  /** Before the first job in Python: the files of Pyodide, by name. */
  readonly pyodide?: PyodideParts;
}

export type ToSlot = SlotPacket<ToTask>;
/** `failed`: something was thrown where no task catches it, or the task closed its slot. */
export type FromSlot = SlotPacket<FromTask | { readonly kind: 'failed'; readonly reason: string }>;

/** What a page asks of the frame in which its slots live; the port is transferred with it. */
export type ToFrame =
  | { readonly kind: 'start'; readonly life: number }
  | { readonly kind: 'end'; readonly life: number };

/** What the frame says: it is there, or a slot could not be started. */
export type FromFrame =
  | { readonly kind: 'here' }
  | { readonly kind: 'dead'; readonly life: number; readonly reason: string };

/** Sends bytes without copying more than they are: a view would take all of its buffer along. */
export function packetOf<Message>(
  message: Message,
  bytes?: Uint8Array,
  blobs?: ReadonlyMap<string, Uint8Array>,
): { packet: SlotPacket<Message>; transfer: ArrayBuffer[] } {
  const own = bytes && new Uint8Array(bytes);
  const copies = blobs && new Map([...blobs].map(([sha256, blob]) => [sha256, new Uint8Array(blob)] as const));
  return {
    packet: { message, ...(own && { bytes: own }), ...(copies && { blobs: copies }) },
    transfer: [...(own ? [own.buffer] : []), ...[...(copies?.values() ?? [])].map(({ buffer }) => buffer)],
  };
}
