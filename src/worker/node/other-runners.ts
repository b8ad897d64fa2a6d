import type { CodeRef, Runner as RunnerName } from '../../model/job.ts';
import type { SlotEvent } from '../runner.ts';
import type { BlobFiles } from './blob-files.ts';
import type { WorkerOptions } from './join.ts';
import type { ClosableRunner } from './runners.ts';

/** What a runner may use of the worker that it belongs to. */
export interface RunnerHost {
  readonly options: WorkerOptions;
  /** Where it makes directories for tasks; the worker deletes it at its end. */
  readonly root: string;
  readonly blobs: BlobFiles;
  /** Where the code of a job lies, fetched and checked. */
  codePath(code: CodeRef): string;
  report(event: SlotEvent): void;
}

/** The runners beside that for JavaScript which this machine has and its owner allows, by the name that the hello tells. */
export function otherRunners(_host: RunnerHost): Map<RunnerName, ClosableRunner> {
  return new Map();
}
