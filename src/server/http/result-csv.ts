import { isFailure, ValueStatus } from '../../model/envelope.ts';
import type { JobId } from '../../model/ids.ts';
import { CSV_COLUMNS, CSV_VALUE_BYTES } from '../../model/result-limits.ts';
import { readColumn } from '../../protocol/column.ts';
import { decodeValue } from '../../protocol/values/value.ts';
import type { BlobStore } from '../../store/blobs.ts';
import type { Core } from '../core.ts';
import { CSV_BREAK, csvField, csvText, fieldsOf } from '../csv.ts';
import { Problem } from '../problem.ts';
import { base64, blobBytes, blobIn, failureIn, isBlob, outcomesIn, type StoredOutcome } from './records.ts';
import { type Reader, segmentsInOrder } from './result-segments.ts';

/** Columns that every file has, and `value` and `more`, which stand between them where they are needed. */
const FIRST = ['index', 'status'];
const LAST = ['error', 'attempts'];
const BRACE = 0x7b;
const OURS = new Set([...FIRST, 'value', 'more', ...LAST]);

/** What the values of a job ask for, learnt by reading all of them once. */
class Columns {
  readonly names = new Set<string>();
  /** Some value is no object, or too long to look into. */
  hasValue = false;
  /** There are more names than columns: the rest of a value is JSON in a column of its own. */
  hasMore = false;
  outcomes = 0;

  learn(value: unknown): void {
    const fields = fieldsOf(value);
    if (fields === undefined) {
      this.hasValue ||= value !== undefined;
      return;
    }
    for (const name of Object.keys(fields)) {
      if (this.names.has(name)) continue;
      if (this.names.size < CSV_COLUMNS) this.names.add(name);
      else this.hasMore = true;
    }
    // What has no field at all would else be lost.
    this.hasValue ||= Object.keys(fields).length === 0;
  }

  /** A field that is named as a column of ours gets another name. */
  header(): string {
    const names = [...this.names].map((name) => (OURS.has(name) ? `value.${name}` : name));
    const all = [...FIRST, ...this.#value('value'), ...names, ...(this.hasMore ? ['more'] : []), ...LAST];
    return all.map(csvText).join(',') + CSV_BREAK;
  }

  row(value: unknown): string[] {
    const fields = fieldsOf(value);
    if (fields === undefined || Object.keys(fields).length === 0) return this.rowOfText(csvField(value));
    const cells = [...this.names].map((name) => (Object.hasOwn(fields, name) ? csvField(fields[name]) : ''));
    const rest = Object.keys(fields).filter((name) => !this.names.has(name));
    if (rest.length === 0) return [...this.#value(''), ...cells, ...this.#more('')];
    // An ended job has the values that were learnt, unless its failed tasks are being retried right now.
    if (!this.hasMore) throw new Problem('conflict', 'the results have changed while they were read: try again');
    const others = Object.fromEntries(rest.map((name) => [name, fields[name]]));
    return [...this.#value(''), ...cells, ...this.#more(csvField(others))];
  }

  rowOfText(text: string): string[] {
    return [...this.#value(text), ...Array.from(this.names, () => ''), ...this.#more('')];
  }

  #value(text: string): string[] {
    return this.hasValue ? [text] : [];
  }

  #more(text: string): string[] {
    return this.hasMore ? [text] : [];
  }
}

/**
 * All results as CSV, in two passes: the first learns which columns there are. What is in memory is one segment, and the
 * names of the columns.
 */
export async function* csvOf(core: Core, job: JobId, reader: Reader): AsyncGenerator<string> {
  const columns = new Columns();
  for await (const { segment, column } of segmentsInOrder(core, job, reader)) {
    for (const outcome of outcomesIn(segment, readColumn(column))) {
      if (reader.destroyed) return;
      columns.outcomes++;
      if (isFailure(outcome.status)) continue;
      if (hasNoFields(outcome)) columns.hasValue = true;
      else columns.learn(isBlob(outcome.status) ? await farValue(core.blobs, outcome) : nearValue(outcome));
    }
  }
  yield columns.header();
  let left = columns.outcomes;
  for await (const { segment, column } of segmentsInOrder(core, job, reader)) {
    let text = '';
    for (const outcome of outcomesIn(segment, readColumn(column))) {
      if (left-- === 0) break;
      if (!isBlob(outcome.status)) text += lineOf(columns, outcome);
      else {
        yield text;
        text = '';
        yield* lineOfBlob(core.blobs, columns, outcome);
      }
    }
    yield text;
    if (left < 0) return;
  }
}

function lineOf(columns: Columns, outcome: StoredOutcome): string {
  const { index, status, bytes, attempts = 1 } = outcome;
  if (!isFailure(status)) return doneLine(columns, outcome, nearValue(outcome));
  const { name, message } = failureIn(bytes);
  return [index, 'failed', ...columns.rowOfText(''), csvText(`${name}: ${message}`), attempts].join(',') + CSV_BREAK;
}

function doneLine(columns: Columns, { index, attempts = 1 }: StoredOutcome, value: unknown): string {
  return [index, 'done', ...columns.row(value), '', attempts].join(',') + CSV_BREAK;
}

async function* lineOfBlob(blobs: BlobStore, columns: Columns, outcome: StoredOutcome): AsyncGenerator<string> {
  if (!isLong(outcome)) {
    yield doneLine(columns, outcome, await farValue(blobs, outcome));
    return;
  }
  yield `${outcome.index},done,"`;
  yield* longField(blobs, outcome);
  const rest = [...columns.rowOfText('').slice(1), '', outcome.attempts ?? 1];
  yield `"${rest.map((cell) => `,${cell}`).join('')}${CSV_BREAK}`;
}

/** Told by its first byte, so that nobody has to read it. */
function hasNoFields(outcome: StoredOutcome): boolean {
  const { status, bytes } = outcome;
  if (isLong(outcome) || status === ValueStatus.bytes) return true;
  return status === ValueStatus.json && bytes.length > 0 && bytes[0] !== BRACE;
}

/** It is written piece by piece and not looked into. */
function isLong({ status, bytes }: StoredOutcome): boolean {
  if (status === ValueStatus.bytesBlob) return true;
  return status === ValueStatus.jsonBlob && blobIn({ status, bytes }).size > CSV_VALUE_BYTES;
}

function nearValue({ status, bytes }: StoredOutcome): unknown {
  return decodeValue(bytes, status);
}

/** JSON in a blob. */
async function farValue(blobs: BlobStore, outcome: StoredOutcome): Promise<unknown> {
  const parts: Uint8Array[] = [];
  // A piece is lent until the next one is asked for.
  for await (const part of await blobBytes(blobs, blobIn(outcome).blob)) parts.push(Uint8Array.from(part));
  return decodeValue(Buffer.concat(parts), ValueStatus.json);
}

/** Bytes in base64, JSON as it is with its quotes doubled. */
async function* longField(blobs: BlobStore, { status, bytes }: StoredOutcome): AsyncGenerator<string> {
  const content = await blobBytes(blobs, blobIn({ status, bytes }).blob);
  if (status === ValueStatus.bytesBlob) {
    let isFirst = true;
    for await (const text of base64(content)) {
      // The one of its signs that a formula may begin with.
      yield isFirst && text.startsWith('+') ? `'${text}` : text;
      isFirst = false;
    }
    return;
  }
  const decoder = new TextDecoder();
  for await (const part of content) yield decoder.decode(part, { stream: true }).replaceAll('"', '""');
}
