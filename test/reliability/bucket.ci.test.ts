import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { test } from 'node:test';
import { nameOf } from '../../src/testing/blob-contract.ts';
import { newBucket, S3rver } from '../support/bucket-server.ts';
import { cleanUp } from '../support/cleanup.ts';
import { runManyhands } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import type { Served } from './served.ts';
import { SeveralServers } from './several-servers.ts';

const MiB = 2 ** 20;

/** A result of another size than its input, and of the same kind. */
const turned = (bytes: Uint8Array): Uint8Array => {
  const result = new Uint8Array(bytes.length + 1);
  result.set(bytes.toReversed());
  return result;
};

test('D24 two servers and a bucket: large values go through it; a server is killed in the middle of an upload, which goes on at the other', async (t) => {
  const s3 = await S3rver.start();
  cleanUp(t, () => s3.remove());
  Object.assign(process.env, s3.env);
  const bucket = await newBucket(s3);
  const several = await SeveralServers.start(t, 2, ['--blobs', bucket.url]);
  const [first, second] = several.servers as [Served, Served];

  const without = ['serve', '--json', '--port=0', `--store=${several.database.url}`, `--data=${first.dataDir}-without`];
  const refused = await runManyhands(t, without);
  assert.deepEqual([refused.code, refused.stdout], [3, '']);
  assert.match(
    refused.stderr,
    /^manyhands: --blobs: the blobs of this farm lie in s3:\/\/\S+ at \S+: start this server with --blobs and that bucket\n$/,
  );

  const worker = several.worker(1, '--slots', '1');
  await worker.output(/"joined"/, { stream: 'stdout', timeout: 60_000 });
  const farm = await several.connect(0);
  const inputs = [3, 9, 1.5].map((size) => new Uint8Array(randomBytes(size * MiB)));
  const job = await farm.map(turned, inputs, { name: 'large' });
  const other = await several.connect(1);
  for (const [at, value] of (await other.job<Uint8Array>(job.id).values()).entries())
    assert.equal(nameOf(value), nameOf(turned(inputs[at] as Uint8Array)));
  // The code of the task, three inputs, three results.
  const objects = await bucket.objects();
  assert.equal(objects.filter((each) => each.startsWith('blobs/')).length, 7, `${objects}`);
  const rows = async (): Promise<number> =>
    (await several.postgres.query('SELECT FROM blob_chunks', several.database.name)).length;
  assert.equal(await rows(), 0);

  const bytes = randomBytes(30 * MiB);
  const path = `/v1/blobs/${nameOf(bytes)}`;
  const range = `bytes 0-${bytes.length - 1}/${bytes.length}`;
  const type = { 'content-type': 'application/octet-stream' };
  const headers = {
    ...type,
    authorization: `Bearer ${first.admin}`,
    'content-range': range,
    'content-length': bytes.length,
  };
  const upload = request({ port: first.port, host: '127.0.0.1', method: 'PUT', path, headers });
  upload.on('error', () => {});
  upload.write(bytes.subarray(0, 25 * MiB));
  const kept = async (): Promise<number> =>
    Number((await second.ask({ method: 'HEAD', path })).headers['upload-offset']);
  await waitFor(async () => (await kept()) >= 16 * MiB, { what: 'two parts in the bucket', timeout: 20_000 });
  await first.kill();
  const from = await kept();
  assert.equal(from % (8 * MiB), 0, 'whole parts');
  assert.equal((await second.ask({ path })).status, 404, 'it is not here before it is whole');
  // The one that died said a moment ago that the upload is its own.
  await several.postgres.query('UPDATE blob_uploads SET busy_until = NULL', several.database.name);
  const rest = bytes.subarray(from);
  const answer = await second.ask({
    method: 'PUT',
    path,
    headers: { ...type, 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` },
    body: rest,
  });
  assert.equal(answer.status, 201, answer.text);
  await first.start();
  for (const each of [first, second]) {
    const whole = await fetch(`${each.url}${path}`, { headers: { authorization: `Bearer ${each.admin}` } });
    assert.equal(nameOf(new Uint8Array(await whole.arrayBuffer())), nameOf(bytes));
    const part = await each.ask({ path, headers: { range: 'bytes=8388600-8388615' } });
    assert.deepEqual([part.status, part.body.equals(bytes.subarray(8_388_600, 8_388_616))], [206, true]);
  }
  assert.equal(await rows(), 0);
});
