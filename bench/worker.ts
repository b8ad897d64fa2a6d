/** What the worker's own part costs: from a chunk in the worker to its outcomes, through a task process and back. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import type { PackedColumn } from '../src/model/envelope.ts';
import { BLOCK_TASKS } from '../src/model/limits.ts';
import { packColumn } from '../src/protocol/column.ts';
import { FarmServers } from '../src/protocol/farm-servers.ts';
import { encodeColumn } from '../src/protocol/values/column.ts';
import { BlobFiles } from '../src/worker/node/blob-files.ts';
import { FarmHttp } from '../src/worker/node/farm-http.ts';
import { JsRunner } from '../src/worker/node/js-runner.ts';
import type { JobFacts, SlotEvent } from '../src/worker/runner.ts';

const root = mkdtempSync(join(os.tmpdir(), 'manyhands-bench-'));
for (const name of ['tasks', 'blobs', 'code']) mkdirSync(join(root, name));
const module = join(root, 'code', 'square.mjs');
writeFileSync(module, 'export default (i) => i * i;');
const http = new FarmHttp(new FarmServers([{ address: 'http://127.0.0.1:1/', token: 'none' }]));
const blobs = new BlobFiles(join(root, 'blobs'), http, new AbortController().signal);
const confinement = {
  root: join(root, 'tasks'),
  blobs: join(root, 'blobs'),
  code: join(root, 'code'),
  network: true,
  env: {},
};

let heard: (event: SlotEvent) => void = () => {};
const runner = new JsRunner(
  confinement,
  blobs,
  () => module,
  (event) => heard(event),
);
const job: JobFacts = {
  job: 1,
  name: 'square',
  code: { runner: 'js', sha256: '0'.repeat(64), size: 1, sourceName: 'square.js' },
  cpus: 1,
  resources: {},
};

function until(kind: SlotEvent['kind']): Promise<SlotEvent> {
  return new Promise((resolve, reject) => {
    heard = (event) => {
      if (event.kind === kind) resolve(event);
      else if (event.kind === 'slotDied') reject(new Error(event.lastWords));
    };
  });
}

function columnOf(count: number): PackedColumn {
  const { lengths, status, bytes } = encodeColumn(Array.from({ length: count }, (_, i) => i));
  return packColumn(lengths, status, bytes);
}

let id = 0;
function hand(count: number, column: PackedColumn): void {
  id += 1;
  runner.runChunk(0, { id, lease: 1, runs: [{ start: 0, count }], column, farm: 'bench' }, job);
}

/** As the session does it: the next chunk waits in the process while one runs. */
async function throughput(chunks: number): Promise<number> {
  const column = columnOf(BLOCK_TASKS);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let left = chunks;
  let handed = 2;
  let done = 0;
  heard = (event) => {
    if (event.kind === 'slotDied') reject(new Error(event.lastWords));
    if (event.kind !== 'chunkDone') return;
    done += event.done;
    left -= 1;
    if (left === 0) resolve();
    else if (handed < chunks) {
      handed += 1;
      hand(BLOCK_TASKS, column);
    }
  };
  const begun = performance.now();
  hand(BLOCK_TASKS, column);
  hand(BLOCK_TASKS, column);
  await promise;
  return (done / (performance.now() - begun)) * 1_000;
}

async function latencies(count: number): Promise<number[]> {
  const column = columnOf(1);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const done = until('chunkDone');
    const begun = performance.now();
    hand(1, column);
    await done;
    times.push((performance.now() - begun) * 1_000);
  }
  return times.sort((a, b) => a - b);
}

const at = (sorted: number[], share: number): number => Math.round(sorted[Math.floor(sorted.length * share)] as number);

try {
  const begun = performance.now();
  const ready = until('slotReady');
  runner.startSlot(0);
  await ready;
  const start = performance.now() - begun;
  await throughput(50);
  const rates: number[] = [];
  for (let round = 0; round < 3; round++) rates.push(await throughput(300));
  rates.sort((a, b) => a - b);
  await latencies(1_000);
  const times = await latencies(5_000);
  const figures = {
    startMillis: Math.round(start),
    tasksPerSecond: Math.round(rates[1] as number),
    tasksPerSecondRange: [Math.round(rates[0] as number), Math.round(rates[2] as number)],
    singleMicrosP50: at(times, 0.5),
    singleMicrosP99: at(times, 0.99),
  };
  console.log(JSON.stringify(figures, undefined, 2));
} finally {
  runner.close();
  rmSync(root, { recursive: true, force: true });
}
