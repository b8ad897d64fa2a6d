import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { clientFarm, moduleFiles } from '../../../../test/support/client-farm.ts';
import { repository, temporaryDirectory } from '../../../../test/support/directories.ts';
import { ServedFarm } from '../../../../test/support/served-farm.ts';
import { waitFor } from '../../../../test/support/wait.ts';
import { PyodideFiles } from '../../../server/pyodide.ts';
import { PyodideSnapshot } from '../../../server/pyodide-snapshot.ts';

const suite = { after };
const files = moduleFiles(suite, {
  'chance.py': [
    'import os, random, secrets, tempfile, time, uuid, sys',
    'def task(input):',
    '    chance = [random.random(), os.urandom(8).hex(), secrets.token_hex(8), str(uuid.uuid4()), tempfile.mktemp()]',
    '    zone = [time.timezone, time.tzname[0], time.strftime("%Z %z"), time.localtime(0).tm_hour]',
    '    return [chance, zone, sys.path.count(""), hash("a")]',
  ].join('\n'),
  'slow.py': 'import time\ndef task(input):\n    time.sleep(input)\n    return "done"\n',
});

/** A cache with something in it, under the name that this server's snapshot has. */
function cacheWith(t: typeof suite, bytes: Uint8Array): string {
  const cache = temporaryDirectory(t, 'cache');
  mkdirSync(path.join(cache, 'manyhands'));
  writeFileSync(path.join(cache, 'manyhands', nameOfSnapshot), bytes);
  return cache;
}

const pyodide = path.join(repository, 'node_modules', 'pyodide');
const { version } = await (PyodideFiles.find() as PyodideFiles).manifest();
const made = temporaryDirectory(suite, 'cache');
const snapshot = new PyodideSnapshot(pyodide, version, made);
const place = await snapshot.place();
const nameOfSnapshot = path.basename(place);
// One that was cut off while it was written.
writeFileSync(place, gzipSync(Buffer.alloc(1_000_000)).subarray(0, 500));
const told = await snapshot.file();
const first = readFileSync(place);

test('a snapshot is made once, and one that came to harm is made again', async () => {
  assert.ok(gunzipSync(first).length > 10_000_000);
  assert.deepEqual(told, { path: place, sha256: createHash('sha256').update(first).digest('hex') });
  assert.deepEqual(readdirSync(made), [nameOfSnapshot], 'no draft is left');
  const begun = performance.now();
  assert.deepEqual(await new PyodideSnapshot(pyodide, version, made).file(), told);
  assert.ok(performance.now() - begun < 1_000, 'it is read, not made');
});

test('where none can be made, none is given', async (t) => {
  const empty = temporaryDirectory(t);
  writeFileSync(path.join(empty, 'pyodide.asm.wasm'), '');
  assert.equal(await new PyodideSnapshot(empty, version, path.join(empty, 'cache')).file(), undefined);
});

test('slots that begin with the same snapshot have each their own chance, and the time zone of their place', async (t) => {
  const { TZ: before } = process.env;
  t.after(() => {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  });
  process.env['TZ'] = 'Asia/Tokyo';
  process.env['XDG_CACHE_HOME'] = cacheWith(suite, first);
  const { farm, worker } = await clientFarm(t, { slots: 2, env: ['TZ'] });
  const begun = performance.now();
  const job = await farm.map(files('chance.py'), [1, 2]);
  const results = (await job.values()) as [string[], unknown[], number, number][];
  t.diagnostic(`two slots had Python after ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
  const pids = worker.taskPids;
  assert.equal(pids.length, 2);
  assert.equal(results[0]?.[3], results[1]?.[3], 'both have begun with it: texts have the same hashes');
  for (let each = 0; each < 5; each++) {
    assert.notEqual(results[0]?.[0][each], results[1]?.[0][each], `${results[0]?.[0][each]}`);
  }
  for (const [, zone, paths] of results) {
    assert.deepEqual(zone, [-32_400, 'UTC+0900', 'UTC+0900 +0900', 9]);
    assert.equal(paths, 1);
  }
});

test('a snapshot that does not fit costs nothing but time, and a slot that loads is spared when its task is cancelled', async (t) => {
  const plain = gunzipSync(first);
  // Of another build: the interpreter compares this.
  plain[20] = (plain[20] as number) ^ 1;
  process.env['XDG_CACHE_HOME'] = cacheWith(suite, gzipSync(plain, { level: 1 }));
  const farm = await ServedFarm.start(t);
  const worker = await farm.join(1);
  const code = { code: readFileSync(files('slow.py'), 'utf8'), runner: 'python', sourceName: 'slow.py' };
  const { taskPids: before } = worker;
  const job = await farm.submit({ ...code, inputs: [60] });
  const runs = async () => (await farm.json<{ running: number }>('GET', `/v1/jobs/${job}`)).running > 0;
  await waitFor(runs, { timeout: 30_000 });
  // The interpreter takes seconds.
  await sleep(1_000);
  await farm.json('POST', `/v1/jobs/${job}/cancel`);
  const begun = performance.now();
  const next = await farm.submit({ ...code, inputs: [0] });
  const ended = async (): Promise<boolean> =>
    (await farm.json<{ progress: { done: number } }>('GET', `/v1/jobs/${next}`)).progress.done === 1;
  await waitFor(ended, { timeout: 30_000 });
  t.diagnostic(`the next task had ended after ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
  assert.deepEqual(worker.taskPids, before);
});
