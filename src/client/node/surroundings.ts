import { hash, randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { packageNamed } from '../../model/packages.ts';
import { FarmServers } from '../../protocol/farm-servers.ts';
import { moduleFromFunction } from '../code/inline.ts';
import { codeOfFile } from '../code/task-file.ts';
import type { Surroundings, TaskFunctionLike } from '../surroundings.ts';
import type { TaskCode } from '../task-code.ts';
import type { ServerAt } from './find-server.ts';
import { HttpBlobs } from './http-blobs.ts';
import { WsTransport } from './ws-transport.ts';

/** Loaded only where it is wanted. */
async function functionWithPackages(fn: TaskFunctionLike, install: readonly string[]): Promise<TaskCode> {
  const { checkPackages, naming } = await import('../code/packages.ts');
  checkPackages(install);
  return naming(moduleFromFunction(fn, install.map(packageNamed)), install);
}

/** What the SDK needs, on Node, of the farm that has these servers. */
export function nodeSurroundings(at: readonly ServerAt[]): Surroundings {
  const servers = new FarmServers(at.map(({ url, token }) => ({ address: url.href, token })));
  const blobs = new HttpBlobs(servers);
  return {
    servers: servers.addresses,
    transport: new WsTransport(servers),
    blobs,
    joined: (server) => {
      if (servers.joined(server)) blobs.moved();
    },
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
