import type { CodeRef, Runner as RunnerName } from '../../model/job.ts';
import type { SlotEvent } from '../runner.ts';
import type { BlobFiles } from './blob-files.ts';
import type { Confinement } from './confinement.ts';
import type { WorkerOptions } from './join.ts';
import { findPython, PythonRunner } from './python/python-runner.ts';
import type { ClosableRunner } from './runners.ts';

/** What a runner may use of the worker that it belongs to. */
export interface RunnerHost {
  readonly options: WorkerOptions;
  readonly confinement: Confinement;
  /** Where it makes directories for tasks; the worker deletes it at its end. */
  readonly root: string;
  readonly blobs: BlobFiles;
  /** Where the code of a job lies, fetched and checked. */
  codePath(code: Pick<CodeRef, 'sha256'>): string;
  report(event: SlotEvent): void;
}

/** The runners beside that for JavaScript which this machine has and its owner allows, by the name that the hello tells. */
export function otherRunners({
  options,
  confinement,
  blobs,
  report,
  codePath,
}: RunnerHost): Map<RunnerName, ClosableRunner> {
  const runners = new Map<RunnerName, ClosableRunner>();
  const python = options.allow?.includes('python') ? findPython() : undefined;
  if (python !== undefined) {
    const pathOf = (sha256: string): string => codePath({ sha256 });
    runners.set('python', new PythonRunner(python, confinement, blobs, pathOf, report));
  }
  return runners;
}
