// Looks for leaks: 100,000,000 tasks in 1,000 jobs, each forgotten, with 10,000 workers that join and are lost meanwhile.
// At the end the server must hold no more than a tenth above what it held after the first hundredth, and as many
// descriptors and timers: npm run soak [-- --share 0.1]
// Its memory is that of the whole process, once V8 was told to collect: by itself it does so only after minutes of rest.

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { range } from 'manyhands';
import { WebSocket } from 'ws';
import { LEASE_TIME, POISON_WORKERS } from '../src/model/limits.ts';
import { Debuggee } from './harness/debuggee.ts';
import { MeasuredFarm } from './harness/farm.ts';
import { memoryOf } from './harness/processes.ts';

const TASKS_OF_A_JOB = 100_000;
const LOSSES_OF_A_JOB = 10;
const JOBS = 1_000;
const MOST_GROWTH = 1.1;
/** Milliseconds of rest before a look: the log is copied by then, and what waited for the silence of workers that are gone. */
const REST = LEASE_TIME + 5_000;

const { values: options } = parseArgs({ options: { share: { type: 'string', default: '1' } } });
const share = Number(options.share);
if (!(share >= 0.02 && share <= 1)) {
  console.error('soak: --share is a number from 0.02 to 1');
  process.exit(2);
}

/** What a server holds while nothing happens. */
interface Holding {
  readonly memory: number;
  readonly descriptors: number;
  /** Timers, sockets and the like that its event loop knows, by kind. */
  readonly resources: string;
}

async function holdingOf(farm: MeasuredFarm): Promise<Holding> {
  await sleep(REST);
  const { pid } = farm.server;
  await collectGarbage(farm);
  let memory = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 10; look++) {
    memory = Math.min(memory, memoryOf(pid).now);
    await sleep(100);
  }
  const resources = (await ask(farm, '/metrics'))
    .split('\n')
    .filter((line) => line.startsWith('manyhands_nodejs_active_resources{'))
    .map((line) => line.replace(/^.*type="(\w+)"\} (\d+)$/, '$2 $1'))
    .sort()
    .join(', ');
  return { memory, descriptors: readdirSync(`/proc/${pid}/fd`).length, resources };
}

/** Through the debugger of the server, which opens when it is first asked for. */
async function collectGarbage(farm: MeasuredFarm): Promise<void> {
  process.kill(farm.server.pid, 'SIGUSR1');
  let target: { webSocketDebuggerUrl: string } | undefined;
  for (let attempt = 0; target === undefined; attempt++) {
    await sleep(50);
    const list = await fetch(`http://127.0.0.1:${inspectorPort}/json/list`).catch((error: unknown) => {
      if (attempt === 100) throw error;
    });
    [target] = list === undefined ? [] : ((await list.json()) as [{ webSocketDebuggerUrl: string }]);
  }
  await using debuggee = await Debuggee.open(target.webSocketDebuggerUrl);
  for (let round = 0; round < 3; round++) {
    await debuggee.collectGarbage();
    // The thread of the store wakes for it.
    await ask(farm, '/v1/jobs?limit=1');
    await sleep(200);
  }
}

async function ask(farm: MeasuredFarm, address: string): Promise<string> {
  const response = await fetch(farm.url + address, { headers: { authorization: `Bearer ${farm.token}` } });
  return await response.text();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** A worker that takes what it is given, and can be lost without a word. Only those with the right runner are given anything. */
class Doomed {
  readonly welcomed: Promise<void>;
  readonly gone: Promise<void>;
  readonly #socket: WebSocket;

  constructor(farm: MeasuredFarm, runner: 'js' | 'wasi') {
    const address = `${farm.url.replace('http', 'ws')}/v1/worker`;
    const headers = { authorization: `Bearer ${new URL(farm.joinUrl).hash.slice(1)}` };
    const socket = new WebSocket(address, 'manyhands.v1.json', { headers });
    const facts = {
      protocol: 1,
      name: 'doomed',
      device: 'other',
      slots: 1,
      runners: [runner],
      labels: {},
      resources: {},
    };
    const hello = { kind: 'hello', ...facts, key: randomBytes(16).toString('hex'), held: [] };
    socket.on('open', () => socket.send(JSON.stringify(hello)));
    this.welcomed = new Promise((resolve, reject) => {
      socket.once('message', () => resolve());
      socket.once('error', reject);
    });
    this.gone = new Promise((resolve) => socket.once('close', () => resolve()));
    this.#socket = socket;
  }

  lose(): void {
    this.#socket.terminate();
  }
}

/** One job from its submit until nothing of it is left, and the workers that are lost while they hold tasks of it. */
async function live(farm: MeasuredFarm): Promise<void> {
  const job = await farm.client.map(() => undefined, range(0, TASKS_OF_A_JOB));
  // Few enough take tasks that none of these is blamed for their loss.
  const doomed = Array.from(
    { length: LOSSES_OF_A_JOB },
    (_, at) => new Doomed(farm, at < POISON_WORKERS - 1 ? 'js' : 'wasi'),
  );
  await Promise.all(doomed.map(({ welcomed }) => welcomed));
  for (const each of doomed) each.lose();
  let done = 0;
  for await (const { progress } of job.progress()) ({ done } = progress);
  await Promise.all(doomed.map(({ gone }) => gone));
  if (done !== TASKS_OF_A_JOB) throw new Error(`job ${job.id}: ${done} of ${TASKS_OF_A_JOB} tasks are done`);
  await job.forget();
}

const built = spawnSync(process.execPath, [path.join(import.meta.dirname, '../scripts/build.ts')], {
  stdio: 'inherit',
});
if (built.status !== 0) process.exit(1);
const inspectorPort = await freePort();
process.env['NODE_OPTIONS'] = `--inspect-port=${inspectorPort}`;
await using farm = await MeasuredFarm.start(1, 1);
const jobs = Math.round(JOBS * share);
/** The first hundredth of the whole, also of a part of it: by then every cache has something in it. */
const first = JOBS / 100;
let early: Holding | undefined;
const began = performance.now();
for (let job = 1; job <= jobs; job++) {
  await live(farm);
  if (job === first) early = await holdingOf(farm);
  if (job % Math.ceil(jobs / 20) === 0) {
    const seconds = Math.round((performance.now() - began) / 1_000);
    console.log(`${job} of ${jobs} jobs, ${seconds} s, ${mebibytes(memoryOf(farm.server.pid).now)}`);
  }
}
const late = await holdingOf(farm);
const told = (when: string, { memory, descriptors, resources }: Holding): string =>
  `${when}: ${mebibytes(memory)}, ${descriptors} descriptors; ${resources}`;
console.log(told('after the first hundredth', early as Holding));
console.log(told('at the end', late));
const growth = late.memory / (early as Holding).memory;
const tasks = (jobs * TASKS_OF_A_JOB).toLocaleString('en');
console.log(`${tasks} tasks in ${jobs} jobs, ${jobs * LOSSES_OF_A_JOB} workers lost: memory × ${growth.toFixed(3)}`);
const faults = [
  growth <= MOST_GROWTH ? '' : `the memory grew by more than × ${MOST_GROWTH}`,
  late.descriptors === early?.descriptors ? '' : 'the number of descriptors changed',
  late.resources === early?.resources ? '' : 'the timers or handles changed',
].filter((fault) => fault !== '');
for (const fault of faults) console.error(`soak: ${fault}`);
if (faults.length > 0) process.exitCode = 1;

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
