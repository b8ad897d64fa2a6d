import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { CuttingProxy } from '../../../test/support/cutting-proxy.ts';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import { FarmServers } from '../../protocol/farm-servers.ts';
import { BlobFiles } from './blob-files.ts';
import { FarmHttp } from './farm-http.ts';

const MiB = 1024 * 1024;
const nameOf = (bytes: Uint8Array): string => hash('sha256', bytes);

/** A real server behind a line that can be cut, and a directory for blobs as a worker has one. */
async function line(t: TestContext) {
  const farm = await ServedFarm.start(t);
  const proxy = await CuttingProxy.start(t, farm.port);
  const http = new FarmHttp(new FarmServers([{ address: `http://127.0.0.1:${proxy.port}/`, token: farm.tokens.work }]));
  const stopped = new AbortController();
  cleanUp(t, () => {
    stopped.abort();
    http.close();
  });
  const directory = temporaryDirectory(t, 'blobs');
  const files = (limit?: number, kept = false) => new BlobFiles(directory, http, stopped.signal, { limit, kept });
  const store = async (bytes: Buffer): Promise<string> => {
    const headers = { 'content-type': 'application/octet-stream' };
    const { status } = await farm.ask('PUT', `/v1/blobs/${nameOf(bytes)}`, { headers, body: bytes });
    assert.equal(status, 201);
    return nameOf(bytes);
  };
  return { farm, proxy, directory, files, store };
}

async function held(blobs: BlobFiles, sha256: string) {
  const hold = blobs.hold({ sha256 });
  assert.equal(await hold.problem, undefined);
  return hold;
}

test('a fetch that is cut half-way goes on from there, and so does an upload', async (t) => {
  const { farm, proxy, directory, files, store } = await line(t);
  const bytes = randomBytes(32 * MiB);
  const sha256 = await store(bytes);
  const blobs = files();
  proxy.cutAfter(bytes.length / 2, 'down');
  await held(blobs, sha256);
  assert.equal(proxy.cuts, 1);
  assert.ok(readFileSync(path.join(directory, sha256)).equals(bytes));
  assert.ok(proxy.passed.down < bytes.length * 1.25, `${proxy.passed.down} bytes for ${bytes.length}`);

  const made = randomBytes(32 * MiB);
  const ref = { sha256: nameOf(made), size: made.length };
  const file = path.join(directory, 'result');
  writeFileSync(file, made);
  proxy.cutAfter(made.length / 2, 'up');
  assert.equal(await blobs.upload(ref, file), undefined);
  assert.equal(proxy.cuts, 2);
  assert.ok(proxy.passed.up < made.length * 1.25, `${proxy.passed.up} bytes for ${made.length}`);
  const stored = await farm.ask('GET', `/v1/blobs/${ref.sha256}`);
  assert.ok(stored.body.equals(made));
  assert.ok(!existsSync(file), 'an uploaded file is of no more use');
});

test('many who want the same blob fetch it once; what is not right is refused', async (t) => {
  const { proxy, files, store } = await line(t);
  const sha256 = await store(randomBytes(2 * MiB));
  const blobs = files();
  await Promise.all(Array.from({ length: 50 }, () => held(blobs, sha256)));
  for (let turn = 0; turn < 50; turn++) (await held(blobs, sha256)).release();
  assert.ok(proxy.passed.down < 2.1 * MiB, `${proxy.passed.down} bytes`);
  const absent = blobs.hold({ sha256: 'a'.repeat(64) });
  assert.match((await absent.problem) ?? '', /^GET \/v1\/blobs\/a{64} was answered 404: /);
  assert.equal(absent.full, false);
});

test('blobs that nobody uses go when there are too many, those used longest ago first', async (t) => {
  const { directory, files, store } = await line(t);
  const names = await Promise.all(Array.from({ length: 5 }, () => store(randomBytes(MiB))));
  const blobs = files(2.5 * MiB);
  const there = () => names.map((name) => existsSync(path.join(directory, name)));
  const first = await held(blobs, names[0]!);
  for (const name of names.slice(1, 4)) (await held(blobs, name)).release();
  await waitFor(() => there().join() === 'true,false,false,true,false', {
    what: 'the eviction of the second and third',
  });
  first.release();
  (await held(blobs, names[3]!)).release();
  (await held(blobs, names[4]!)).release();
  await waitFor(() => there().join() === 'false,false,false,true,true', { what: 'the eviction of the first' });
  const large = await store(randomBytes(4 * MiB));
  (await held(blobs, large)).release();
  await waitFor(() => readdirSync(directory).join() === large, { what: 'room for the large one' });
});

test('a worker finds what one before it has kept, and believes only its bytes', async (t) => {
  const { proxy, directory, files, store } = await line(t);
  const bytes = [randomBytes(MiB), randomBytes(MiB), randomBytes(MiB)] as const;
  const [good, bad, old] = [await store(bytes[0]), await store(bytes[1]), await store(bytes[2])];
  const before = files(3 * MiB, true);
  for (const name of [old, good, bad]) (await held(before, name)).release();
  const damaged = Buffer.from(bytes[1]);
  damaged[7]! ^= 1;
  writeFileSync(path.join(directory, bad), damaged);
  writeFileSync(path.join(directory, `${'b'.repeat(64)}.part`), 'half');

  const { down } = proxy.passed;
  const after = files(3 * MiB, true);
  assert.deepEqual(readdirSync(directory).sort(), [good, bad, old].sort(), 'parts are of no use');
  await held(after, good);
  assert.ok(proxy.passed.down - down < 10_000);
  await held(after, bad);
  assert.ok(readFileSync(path.join(directory, bad)).equals(bytes[1]));
  assert.ok(proxy.passed.down - down < 1.1 * MiB);

  const small = files(2 * MiB, true);
  await waitFor(() => readdirSync(directory).length === 2, { what: 'the eviction of one' });
  await held(small, good);
});

test('a result that is not what it was said to be is not stored', async (t) => {
  const { farm, directory, files } = await line(t);
  const secret = path.join(directory, 'secret');
  writeFileSync(secret, 'secret');
  const link = path.join(directory, 'link');
  symlinkSync(secret, link);
  const ref = { sha256: nameOf(Buffer.from('secret')), size: 6 };
  const blobs = files();
  assert.match((await blobs.upload(ref, link)) ?? '', /^its file can't be read: /);
  assert.equal(readFileSync(secret, 'utf8'), 'secret');
  assert.match((await blobs.upload(ref, path.join(directory, 'gone'))) ?? '', /^its file can't be read: /);
  for (const size of [7, 2 * MiB]) {
    const short = path.join(directory, 'short');
    writeFileSync(short, 'secret');
    assert.match((await blobs.upload({ ...ref, size }, short)) ?? '', /^its file has 6 bytes, not \d+$/);
  }
  const other = path.join(directory, 'other');
  writeFileSync(other, 'public');
  assert.match((await blobs.upload(ref, other)) ?? '', /was answered 400: /);
  assert.equal((await farm.ask('HEAD', `/v1/blobs/${ref.sha256}`)).status, 404);
});
