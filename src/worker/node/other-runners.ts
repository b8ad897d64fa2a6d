import type { CodeRef, Runner as RunnerName } from '../../model/job.ts';
import type { SlotEvent } from '../runner.ts';
import type { BlobFiles } from './blob-files.ts';
import type { Confinement } from './confinement.ts';
import { ExecRunner } from './exec/exec-runner.ts';
import type { WorkerOptions } from './join.ts';
import { findNpm } from './packages/npm.ts';
import { PackageFolders } from './packages/package-folders.ts';
import { PreparedRunner } from './prepared-runner.ts';
import { Environments, makesEnvironments } from './python/environments.ts';
import { findPython, pythonRunner } from './python/python-runner.ts';
import type { ClosableRunner } from './runners.ts';
import { SideRunner } from './side-runner.ts';

/** What a runner may use of the worker that it belongs to. */
export interface RunnerHost {
  readonly options: WorkerOptions;
  readonly confinement: Confinement;
  /** Where it makes directories for tasks; the worker deletes it at its end. */
  readonly root: string;
  /** The worker's name, for people. */
  readonly name: string;
  readonly blobs: BlobFiles;
  /** Where the code of a job lies, fetched and checked. */
  codePath(code: Pick<CodeRef, 'sha256'>): string;
  report(event: SlotEvent): void;
}

/** The runners beside that for JavaScript which this machine has and its owner allows, by the name that the hello tells. */
export function otherRunners(host: RunnerHost): Map<RunnerName, ClosableRunner> {
  const { options, confinement, blobs, report, codePath } = host;
  const runners = new Map<RunnerName, ClosableRunner>();
  if (options.allow?.includes('exec') === true) {
    if (process.platform === 'win32')
      throw new TypeError('commands need a POSIX shell: leave out --allow exec on Windows');
    runners.set('exec', new ExecRunner(host, commandEnvironment(host)));
  }
  const python = options.allow?.includes('python') ? findPython() : undefined;
  if (python !== undefined) {
    const pathOf = (sha256: string): string => codePath({ sha256 });
    const runnerOf = (program: string, hear: (event: SlotEvent) => void): SideRunner =>
      pythonRunner(program, confinement, blobs, pathOf, hear);
    runners.set('python', runnerOf(python, report));
    if (makesEnvironments(python)) {
      runners.set('venv', new PreparedRunner(host, new Environments(python, host.root), runnerOf));
    }
  }
  const npm = options.allow?.includes('install') ? findNpm() : undefined;
  if (npm !== undefined) {
    const folders = new PackageFolders(npm, options.cache ?? host.root);
    const runnerOf = (folder: string, hear: (event: SlotEvent) => void): SideRunner =>
      new SideRunner({ ...confinement, code: folder, addons: true }, blobs, folders.codePath(folder), hear);
    runners.set('npm', new PreparedRunner(host, folders, runnerOf));
  }
  return runners;
}

/** What commands see of the worker's environment: what every program expects, and what its owner passes. */
function commandEnvironment({ options }: RunnerHost): Record<string, string> {
  const all = process.env as Record<string, string>;
  if (options.directory !== undefined) return all;
  const names = ['PATH', 'HOME', 'LANG', ...(options.env ?? [])];
  return Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
}
