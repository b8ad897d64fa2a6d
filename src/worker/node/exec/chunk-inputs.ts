import { readFileSync } from 'node:fs';
import { type BlobRef, ValueStatus } from '../../../model/envelope.ts';
import { readColumn, statusOf } from '../../../protocol/column.ts';
import { decodeColumn } from '../../../protocol/values/column.ts';
import { decodeValue } from '../../../protocol/values/value.ts';
import { type DetailedInput, type ExecCode, readExecInput } from '../../exec/exec-code.ts';
import type { WorkerFailure } from '../../failures.ts';
import type { Chunk, JobFacts } from '../../runner.ts';
import { blobsIn } from '../../tasks/blobs.ts';
import type { HeldBlob } from '../blob-files.ts';
import type { CommandHost } from './run-command.ts';

export interface CommandInput {
  readonly input: DetailedInput;
  readonly stdin: Uint8Array | string | undefined;
}

/** The inputs of a chunk, and the blobs that they need. */
export interface ChunkInputs {
  /** Settles when all blobs have come, or will not; undefined: there are none. */
  readonly waits: Promise<unknown> | undefined;
  /** This disk has no room for some blob; another worker's may. Known once `waits` has settled. */
  readonly full: boolean;
  at(position: number, index: number): CommandInput | WorkerFailure;
  release(): void;
}

/** The values of a chunk, by position: which are blobs, and the others read. */
interface Values {
  readonly count: number;
  status(position: number): number;
  value(position: number): unknown;
}

export function openInputs(chunk: Chunk, job: JobFacts, code: ExecCode, host: CommandHost): ChunkInputs {
  const values = valuesOf(chunk, job);
  const problems = new Map<string, string>();
  const held = new Map<string, HeldBlob>();
  const waits: Promise<unknown>[] = [];
  const hold = (blob: BlobRef): void => {
    if (held.has(blob.sha256)) return;
    const each = host.blobs.hold(blob);
    held.set(blob.sha256, each);
    waits.push(each.problem.then((text) => text !== undefined && problems.set(blob.sha256, text)));
  };
  for (const blob of blobsIn(chunk.column)) hold(blob);
  const isAtHome = host.directory !== undefined || code.directory !== undefined;
  if (!isAtHome) for (const blob of sentBlobs(values)) hold(blob);
  const at = (position: number, index: number): CommandInput | WorkerFailure => {
    try {
      const { input, stdin } = inputOf(values, position, index, job, code, host, problems);
      const lacking = isAtHome ? undefined : input.files?.find(({ blob }) => problems.has(blob.sha256));
      if (lacking !== undefined) throw new Error(`${lacking.path}: ${problems.get(lacking.blob.sha256)}`);
      return { input, stdin };
    } catch (error) {
      return { kind: 'error', name: 'InputError', message: (error as Error).message };
    }
  };
  return {
    waits: waits.length === 0 ? undefined : Promise.all(waits),
    get full() {
      return [...held.values()].some((each) => each.full);
    },
    at,
    release: () => {
      for (const { release } of held.values()) release();
    },
  };
}

function inputOf(
  values: Values,
  position: number,
  index: number,
  job: JobFacts,
  code: ExecCode,
  host: CommandHost,
  problems: ReadonlyMap<string, string>,
): CommandInput {
  if (job.range !== undefined) {
    return { input: { args: [String(job.range.start + index * job.range.step)] }, stdin: undefined };
  }
  const status = values.status(position);
  const isBlob = status === ValueStatus.jsonBlob || status === ValueStatus.bytesBlob;
  const value = values.value(position);
  const blob = isBlob ? (value as BlobRef) : undefined;
  const problem = blob && problems.get(blob.sha256);
  if (problem !== undefined) throw new Error(`the input of this task could not be fetched: ${problem}`);
  const path = blob && host.blobs.path(blob.sha256);
  if (code.pipe === true) {
    const stdin = path ?? (value instanceof Uint8Array ? value : Buffer.from(String(value)));
    return { input: { args: [] }, stdin };
  }
  const read = path === undefined ? value : decodeValue(readFileSync(path), ValueStatus.json);
  return { input: readExecInput(read), stdin: undefined };
}

function valuesOf({ column }: Chunk, job: JobFacts): Values {
  if (column === undefined || job.range !== undefined) return { count: 0, status: () => 0, value: () => undefined };
  const packed = readColumn(column);
  const { count, lengths, statuses, allStatus, bytes } = packed;
  const each = statuses ?? (allStatus === ValueStatus.json ? undefined : new Uint8Array(count).fill(allStatus));
  const decoded = decodeColumn(lengths, each, bytes);
  return { count, status: (position) => statusOf(packed, position), value: (position) => decoded[position] };
}

/** Files that `--send` names, in inputs that are not blobs themselves. */
function* sentBlobs({ count, status, value }: Values): Generator<BlobRef> {
  for (let position = 0; position < count; position++) {
    if (status(position) !== ValueStatus.json) continue;
    const { files } = (value(position) ?? {}) as Partial<DetailedInput>;
    if (!Array.isArray(files)) continue;
    for (const { blob } of readExecInput(value(position)).files ?? []) yield blob;
  }
}
