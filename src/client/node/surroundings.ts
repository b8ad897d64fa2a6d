import { hash, randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { packageNamed } from '../../model/packages.ts';
import { moduleFromFunction } from '../code/inline.ts';
import { codeOfFile } from '../code/task-file.ts';
import type { Surroundings, TaskFunctionLike } from '../surroundings.ts';
import type { TaskCode } from '../task-code.ts';
import { HttpBlobs } from './http-blobs.ts';
import { WsTransport } from './ws-transport.ts';

/** Loaded only where it is wanted. */
async function functionWithPackages(fn: TaskFunctionLike, install: readonly string[]): Promise<TaskCode> {
  const { checkPackages, naming } = await import('../code/packages.ts');
  checkPackages(install);
  return naming(moduleFromFunction(fn, install.map(packageNamed)), install);
}

/** What the SDK needs, on Node, of the farm at `url`. */
export function nodeSurroundings(url: URL, token: string | undefined): Surroundings {
  return {
    transport: new WsTransport(url, token),
    blobs: new HttpBlobs(url, token),
    code: async (task, install) => {
      if (task instanceof URL) return codeOfFile(task, undefined, install);
      return install === undefined ? moduleFromFunction(task) : functionWithPackages(task, install);
    },
    hash: (what) => ({ sha256: hash('sha256', what), size: Buffer.byteLength(what) }),
    now: () => performance.now(),
    chance: Math.random,
    // First all that promises have brought about, since that may want to be in the same message.
    defer: (run) => queueMicrotask(() => process.nextTick(run)),
    pause: () => turn(),
    alarm: (delay, run, hold = false) => {
      const timer = setTimeout(run, delay);
      if (!hold) timer.unref();
      return () => clearTimeout(timer);
    },
    randomKey: () => randomBytes(16).toString('hex'),
  };
}
