import { isFailure } from '../../model/envelope.ts';
import { LOG_MESSAGE_BYTES } from '../../model/limits.ts';
import { countRuns } from '../../model/runs.ts';
import { countSpawned, isSpawnedBy, type Spawned } from '../../model/spawned.ts';
import { readColumn, statusOf } from '../../protocol/column.ts';
import type { Chunk } from '../runner.ts';
import type { FromTask, StoredBlob } from './task-channel.ts';

/**
 * Believes nothing that a slot says: a task can write to the channel itself. Throws where a message is not what an honest
 * slot would say at this point.
 */
export function checkedMessage(
  header: unknown,
  bytes: Uint8Array,
  chunks: readonly { readonly chunk: Chunk }[],
): FromTask {
  if (typeof header !== 'object' || header === null) throw new TypeError('not a message');
  const message = header as Record<string, unknown>;
  const chunkOf = (): Chunk => {
    const found = chunks.find(({ chunk }) => chunk.id === message['chunk'])?.chunk;
    // A log line may come late; a result may not.
    return demand(found, 'a chunk that it does not run');
  };
  switch (message['kind']) {
    case 'ready':
      return { kind: 'ready' };
    case 'loading':
      return { kind: 'loading', chunk: chunkOf().id };
    case 'started':
      return { kind: 'started', chunk: whole(message['chunk']) };
    case 'done':
      return checkedDone(message, bytes, chunks[0]?.chunk);
    case 'log': {
      const position = positionIn(message['position'], chunkOf());
      const stream = demand(
        streams.find((name) => name === message['stream']),
        'an unknown stream',
      );
      return {
        kind: 'log',
        chunk: whole(message['chunk']),
        position,
        stream,
        text: text(message['text'], LOG_MESSAGE_BYTES),
      };
    }
    case 'progress': {
      const position = positionIn(message['position'], chunkOf());
      const words = message['text'] === undefined ? {} : { text: text(message['text'], 256) };
      return {
        kind: 'progress',
        chunk: whole(message['chunk']),
        position,
        fraction: finite(message['fraction']),
        ...words,
      };
    }
    case 'wantBlob':
      return { kind: 'wantBlob', request: whole(message['request']), sha256: hash(message['sha256']) };
    case 'readBlob':
      return { kind: 'readBlob', request: whole(message['request']) };
    case 'full':
      return { kind: 'full', chunk: chunkOf().id };
    case 'giveBlob':
      return { kind: 'giveBlob', request: whole(message['request']), blob: blob(message['blob']) };
    default:
      throw new TypeError('an unknown kind');
  }
}

const streams = ['stdout', 'stderr', 'log'] as const;

function checkedDone(message: Record<string, unknown>, bytes: Uint8Array, running: Chunk | undefined): FromTask {
  const chunk = whole(message['chunk']);
  if (running?.id !== chunk) throw new TypeError('the end of a chunk that does not run');
  const done = whole(message['done']);
  const spawned = message['spawned'] === undefined ? undefined : checkedSpawned(message['spawned'], done, bytes);
  if (done < 1 || done > countRuns(running.runs) || readColumn(bytes).count !== done + countSpawned(spawned))
    throw new TypeError('a wrong count');
  const micros = finite(message['micros']);
  if (micros < 0) throw new TypeError('a negative time');
  const { blobs } = message;
  const more = spawned === undefined ? {} : { spawned };
  if (blobs === undefined) return { kind: 'done', chunk, done, micros, ...more };
  if (!Array.isArray(blobs)) throw new TypeError('blobs that are no list');
  return { kind: 'done', chunk, done, micros, blobs: blobs.map(blob), ...more };
}

/** By position; what was spawned is no outcome. */
function checkedSpawned(value: unknown, done: number, bytes: Uint8Array): Spawned {
  if (!Array.isArray(value) || value.length > done) throw new TypeError('spawned inputs that are no list');
  const spawned = value.map((pair): [number, number] => {
    if (!Array.isArray(pair)) throw new TypeError('spawned inputs that are no pairs');
    return [whole(pair[0]), whole(pair[1])];
  });
  const column = readColumn(bytes);
  for (let i = done; i < column.count; i++)
    if (isFailure(statusOf(column, i))) throw new TypeError('a spawned input that is a failure');
  if (!isSpawnedBy([{ start: 0, count: done }], spawned)) throw new TypeError('spawned inputs of other tasks');
  return spawned;
}

function blob(value: unknown): StoredBlob {
  if (typeof value !== 'object' || value === null) throw new TypeError('not a blob');
  const { sha256, size, file } = value as Record<string, unknown>;
  return { sha256: hash(sha256), size: whole(size), ...(file !== undefined && { file: whole(file) }) };
}

function positionIn(value: unknown, chunk: Chunk): number {
  const position = whole(value);
  if (position >= countRuns(chunk.runs)) throw new TypeError('a position outside of its chunk');
  return position;
}

function hash(value: unknown): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw new TypeError('not a hash');
  return value;
}

function text(value: unknown, length: number): string {
  if (typeof value !== 'string') throw new TypeError('not a text');
  return value.slice(0, length);
}

function whole(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new TypeError('not a whole number');
  return value as number;
}

function finite(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new TypeError('not a number');
  return value;
}

function demand<T>(value: T | undefined, problem: string): T {
  if (value === undefined) throw new TypeError(problem);
  return value;
}
