import { type ConnectOptions, connectWith } from './client/connect.ts';
import type { Farm } from './client/farm.ts';
import { FarmProcess } from './client/node/farm-process.ts';

export { TaskCodeError } from './client/code/task-code-error.ts';
export type { Farm } from './client/farm.ts';
export { FarmError } from './client/farm-error.ts';
export type { Inputs } from './client/feed.ts';
export type { Job, JobStatus, ResultsOptions } from './client/job.ts';
export type { JobOptions } from './client/job-options.ts';
export type { TaskRecord } from './client/outcomes.ts';
export { range } from './client/range.ts';
export type { ResultStream } from './client/result-stream.ts';
export type { TaskContext, TaskFunction } from './client/task.ts';
export type { TaskCode } from './client/task-code.ts';
export { TaskError } from './client/task-error.ts';
export { type CommandVariant, type VariantSources, type Variants, variants } from './client/variants.ts';
export type { BlobRef } from './model/envelope.ts';
export type { WasiCommand, WasiContent, WasiResult, WasiTask } from './model/wasm.ts';
export { ValueError } from './protocol/values/value-error.ts';
export type { ConnectOptions };

/**
 * Connects to the server that `url` or MANYHANDS_URL names, else to the one on this machine, else to one that is started
 * for this program alone, with a worker, for as long as the farm is open.
 */
export function connect(options: ConnectOptions = {}): Promise<Farm> {
  return connectWith(options, ({ slots, signal }) =>
    FarmProcess.start(new URL('./entry/embedded-farm.ts', import.meta.url), slots, signal),
  );
}
