import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Farm } from '../../client/farm.ts';
import { type BlobRef, isFailure, type TaskFailure, ValueStatus } from '../../model/envelope.ts';
import type { ExecOutput, ExecValue } from '../../worker/exec/exec-code.ts';
import { type Batch, type Piece, piecesOf } from '../output/batch.ts';
import { InOrder } from '../output/in-order.ts';
import type { Out } from '../output/out.ts';
import type { Arrival } from '../output/print-results.ts';
import { printableText } from '../output/printable.ts';
import { type Failed, failedAt, recordOf, valuesOf } from '../output/values.ts';

/** What became of one command. */
export interface CommandOutcome {
  readonly index: number;
  /** Undefined: it has not got as far as printing anything. */
  readonly value: ExecValue | undefined;
  readonly failed: Failed | undefined;
}

export interface PrintCommandsOptions {
  readonly out: Out;
  readonly ordered: boolean;
  readonly farm: Farm;
  readonly onFailed: (failed: Failed) => void;
  /** Does what writes, so that a progress bar can step aside meanwhile. */
  readonly aside: (write: () => Promise<void>) => Promise<void>;
  /** What they have printed goes elsewhere, and only failures are told. */
  readonly isSilent?: boolean | undefined;
  /** What stands before each line that the command has printed. */
  readonly tagOf?: ((index: number) => string) | undefined;
}

/** The outcomes of commands, as they stand in a piece of a batch. */
export async function* outcomesIn(piece: Piece, farm: Farm): AsyncGenerator<CommandOutcome> {
  for (const { at, status, bytes } of valuesOf(piece)) {
    const index = piece.index + at;
    if (isFailure(status)) {
      const failed = failedAt(piece, at, bytes);
      yield { index, value: (failed.failure as TaskFailure & { value?: ExecValue }).value, failed };
    } else if (bytes.length > 0) {
      const record = recordOf(bytes);
      const isBlob = status === ValueStatus.jsonBlob;
      const value = isBlob ? JSON.parse(Buffer.from(await farm.download(record as BlobRef)).toString()) : record;
      yield { index, value: value as ExecValue, failed: undefined };
    }
  }
}

/** Tells of each outcome as it comes, before it waits for its turn to be printed. */
export async function* told(
  arrivals: AsyncIterable<Arrival>,
  farm: Farm,
  tell: (outcome: CommandOutcome) => Promise<void>,
): AsyncGenerator<Arrival> {
  for await (const arrival of arrivals) {
    if (arrival.kind === 'batch') {
      for (const piece of piecesOf(arrival.batch as Batch)) {
        for await (const outcome of outcomesIn(piece, farm)) await tell(outcome);
      }
    }
    yield arrival;
  }
}

/** Prints what commands have printed, one after the other. */
export async function printCommands(arrivals: AsyncIterable<Arrival>, options: PrintCommandsOptions): Promise<void> {
  const order = options.ordered ? new InOrder() : undefined;
  for await (const arrival of arrivals) {
    const pieces =
      arrival.kind === 'mark'
        ? (order?.mark(arrival.next) ?? [])
        : order === undefined
          ? piecesOf(arrival.batch)
          : order.add(arrival.batch);
    for (const piece of pieces) await printPiece(piece, options);
  }
  for (const piece of order?.end() ?? []) await printPiece(piece, options);
}

async function printPiece(piece: Piece, options: PrintCommandsOptions): Promise<void> {
  const { farm, out, tagOf, isSilent, aside, onFailed } = options;
  for await (const { index, value, failed } of outcomesIn(piece, farm)) {
    const tag = tagOf?.(index);
    if (value !== undefined && !isSilent) {
      await aside(async () => {
        await writeOutput(value.stdout, farm, tag, (bytes) =>
          out.write(out.isTerminal ? printableText(Buffer.from(bytes).toString('utf8')) : bytes),
        );
        await writeOutput(value.stderr, farm, tag, async (bytes) => {
          const isTerminal = process.stderr.isTTY === true;
          process.stderr.write(isTerminal ? printableText(Buffer.from(bytes).toString('utf8')) : bytes);
        });
      });
    }
    if (failed !== undefined) onFailed(failed);
  }
}

async function writeOutput(
  output: ExecOutput,
  farm: Farm,
  tag: string | undefined,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const tagged = tag === undefined ? undefined : new Tagger(tag);
  const put = async (bytes: Uint8Array): Promise<void> => {
    if (bytes.length > 0) await write(tagged === undefined ? bytes : tagged.add(bytes));
  };
  if (typeof output === 'string') return put(Buffer.from(output));
  if ('base64' in output) return put(Buffer.from(output.base64, 'base64'));
  // As large as a disk may be: it passes through a file, not through memory.
  const directory = await mkdtemp(path.join(tmpdir(), 'manyhands-output-'));
  try {
    const file = path.join(directory, 'output');
    await farm.download(output.blob, pathToFileURL(file));
    for await (const part of createReadStream(file, { highWaterMark: 1024 * 1024 })) await put(part as Buffer);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const LINE_FEED = 10;

/** Puts a tag in front of every line of a text that comes in pieces. */
class Tagger {
  readonly #tag: Buffer;
  #atStart = true;

  constructor(tag: string) {
    this.#tag = Buffer.from(`${tag}\t`);
  }

  add(bytes: Uint8Array): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let from = 0; from < bytes.length; ) {
      const end = bytes.indexOf(LINE_FEED, from) + 1 || bytes.length;
      if (this.#atStart) parts.push(this.#tag);
      parts.push(bytes.subarray(from, end));
      this.#atStart = bytes[end - 1] === LINE_FEED;
      from = end;
    }
    return Buffer.concat(parts);
  }
}
