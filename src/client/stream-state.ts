import type { TaskIndex } from '../model/ids.ts';
import { countRuns, indexesOf, pushRun, type Run, runsOf, subtractRuns } from '../model/runs.ts';
import type { ResultBatch, Results } from '../protocol/client-messages.ts';
import { readColumn, selectColumn } from '../protocol/column.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { fromWireRuns } from '../protocol/shapes.ts';
import type { StreamBatch } from './session-io.ts';

/** Credit goes back in portions of this share: a message for each batch would be as many messages again. */
const CREDIT_PORTION = 1 / 4;

/** Lists of what has come of a block, before they are joined. */
const SEEN_LISTS = 32;

/**
 * What a client remembers of a result stream, so that it can be opened again on another connection and each outcome of
 * each generation still comes out once (P18, S7).
 */
export class StreamState {
  readonly asked: Results;
  /** Where a new connection goes on: after this segment, or from this index. */
  #cursor: number;
  /** Index order: what has come of the block at hand, by generation. The server sends a block again from its start. */
  #seen: { generation: number; runs: readonly Run[] }[] = [];
  #resumed = false;
  /** Bytes that came and were not consumed. */
  #unconsumed = 0;
  /** Bytes consumed since credit was given. */
  #consumed = 0;

  constructor(asked: Results) {
    this.asked = asked;
    this.#cursor = asked.after ?? 0;
  }

  /** The message that opens it again after a reconnect. */
  resume(): Results {
    this.#resumed = true;
    this.#consumed = 0;
    return { ...this.asked, after: this.#cursor, credit: Math.max(0, this.asked.credit - this.#unconsumed) };
  }

  /** Undefined: nothing new in it, and its bytes are not to be consumed. */
  take(message: ResultBatch, column: Uint8Array, bytes: number): StreamBatch | undefined {
    const runs = fromWireRuns(message.runs);
    if (runs === undefined) throw new ProtocolError('invalid', "a result batch's runs are not sorted");
    const { block, cursor, generation } = message;
    const batch = {
      stream: message.stream,
      block,
      runs,
      column,
      cursor,
      generation,
      attempts: message.attempts ?? [],
      bytes,
    };
    const fresh = this.asked.order === 'completion' ? this.#afterCursor(batch) : this.#unseen(batch);
    if (fresh !== undefined) this.#unconsumed += bytes;
    return fresh;
  }

  mark(next: TaskIndex): void {
    if (next > this.#cursor) this.#cursor = next;
    this.#seen = [];
    this.#resumed = false;
  }

  /** The credit to give now, if any. */
  consumed(bytes: number): number | undefined {
    this.#unconsumed -= bytes;
    this.#consumed += bytes;
    if (this.#consumed < CREDIT_PORTION * this.asked.credit) return undefined;
    const credit = this.#consumed;
    this.#consumed = 0;
    return credit;
  }

  #afterCursor(batch: StreamBatch): StreamBatch | undefined {
    if (batch.cursor <= this.#cursor) return undefined;
    this.#cursor = batch.cursor;
    return batch;
  }

  #unseen(batch: StreamBatch): StreamBatch | undefined {
    const runs = this.#resumed ? this.#withoutSeen(batch) : batch.runs;
    if (runs.length === 0) return undefined;
    this.#note(batch.generation, runs);
    if (runs === batch.runs) return batch;
    return { ...batch, runs, column: selectColumn(readColumn(batch.column), positionsOf(runs, batch.runs)) };
  }

  /** Lists are joined now and then: a block of single outcomes would else be compared with each of them. */
  #note(generation: number, runs: readonly Run[]): void {
    this.#seen.push({ generation, runs });
    if (this.#seen.length <= SEEN_LISTS) return;
    const joined = new Map<number, Run[]>();
    for (const seen of this.#seen) joined.set(seen.generation, [...(joined.get(seen.generation) ?? []), ...seen.runs]);
    this.#seen = [...joined].map(([of, all]) => ({ generation: of, runs: inOrder(all) }));
  }

  /** A newer generation's outcome of a task is another outcome, so only the same or an older one is a repetition. */
  #withoutSeen(batch: StreamBatch): readonly Run[] {
    let left: readonly Run[] = batch.runs;
    for (const { generation, runs } of this.#seen) if (generation >= batch.generation) left = subtractRuns(left, runs);
    return countRuns(left) === countRuns(batch.runs) ? batch.runs : left;
  }
}

function inOrder(runs: Run[]): Run[] {
  const sorted: Run[] = [];
  for (const { start, count } of runs.sort((a, b) => a.start - b.start)) pushRun(sorted, start, count);
  return sorted;
}

/** Where the tasks of `part` lie in a column that follows `whole`. */
function positionsOf(part: readonly Run[], whole: readonly Run[]): Run[] {
  const positions: number[] = [];
  const wanted = indexesOf(part);
  let next = wanted.next();
  let position = 0;
  for (const index of indexesOf(whole)) {
    if (!next.done && next.value === index) {
      positions.push(position);
      next = wanted.next();
    }
    position += 1;
  }
  return runsOf(positions);
}
