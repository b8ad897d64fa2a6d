import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { cleanUp } from '../../test/support/cleanup.ts';
import { temporaryDirectory } from '../../test/support/directories.ts';
import { startManyhands } from '../../test/support/processes.ts';
import { connectWith } from './connect.ts';

// The old system had a longest input and result. Here both are as long as the language can hold: JSON text ends at half a
// GiB (the longest string of V8), so that a value of 1 GiB is a Uint8Array.

const GiB = 2 ** 30;
const MiB = 2 ** 20;

/** Bytes of memory that a process has had at most. */
function peakOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('F-32, F-7: an input and a result of 1 GiB pass, and the server holds little of them at a time', async (t) => {
  const data = temporaryDirectory(t, 'large');
  const server = startManyhands(t, ['serve', '--json', '--port', '0', '--data', data]);
  const [said] = await server.output(/^\{.*\}$/m, { stream: 'stdout', timeout: 60_000 });
  const { url } = JSON.parse(said) as { url: string };
  const [token = ''] = readFileSync(path.join(data, 'admin.token'), 'utf8').split('\n');
  const worker = startManyhands(t, ['join', url, '--slots', '1', '--json'], { env: { MANYHANDS_TOKEN: token } });
  const farm = await connectWith({ url, token }, undefined);
  cleanUp(t, () => farm.close());

  // What any blob costs, once.
  const warm = await farm.map((bytes: Uint8Array) => bytes, [new Uint8Array(16 * MiB).fill(1)]);
  assert.equal((await warm.values())[0]?.length, 16 * MiB);
  const before = peakOf(server.pid);

  const input = new Uint8Array(GiB);
  for (let at = 0; at < GiB; at += 4_096) input[at] = at / 4_096;
  const started = performance.now();
  const sum = async (bytes: Uint8Array): Promise<[number, string]> => {
    const { createHash } = await import('node:crypto');
    return [bytes.length, createHash('sha256').update(bytes).digest('hex')];
  };
  const there = await farm.map(sum, [input]);
  assert.deepEqual(await there.values(), [[GiB, sha256(input)]]);
  const arrived = performance.now();
  const afterInput = peakOf(server.pid);

  const make = (size: number): Uint8Array => {
    const made = new Uint8Array(size);
    for (let at = 0; at < size; at += 4_096) made[at] = at / 4_096 + 1;
    return made;
  };
  const back = await farm.map(make, [GiB]);
  const [result] = await back.values();
  assert.equal(result?.length, GiB);
  assert.equal(sha256(result), sha256(make(GiB)));
  const afterResult = peakOf(server.pid);

  const grown = (bytes: number): string => `${((bytes - before) / MiB).toFixed(0)} MiB`;
  t.diagnostic(
    `server: ${(before / MiB).toFixed(0)} MiB, then + ${grown(afterInput)} by the input, + ${grown(afterResult)} in the end; ` +
      `input ${((arrived - started) / 1_000).toFixed(1)} s, result ${((performance.now() - arrived) / 1_000).toFixed(1)} s; ` +
      `worker at most ${(peakOf(worker.pid) / MiB).toFixed(0)} MiB`,
  );
  assert.ok(afterResult - before <= 64 * MiB, `the server grew by ${grown(afterResult)}`);
});
