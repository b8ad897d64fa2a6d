import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { CuttingProxy } from '../../../test/support/cutting-proxy.ts';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { BIG_BLOB_BYTES } from '../../model/client-limits.ts';
import { FarmServers } from '../../protocol/farm-servers.ts';
import { FarmError } from '../farm-error.ts';
import { HttpBlobs } from './http-blobs.ts';

const MiB = 1024 * 1024;
const nameOf = (bytes: Uint8Array): string => hash('sha256', bytes);

/** A real server behind a line that can be cut, and a directory for files. */
async function line(t: TestContext) {
  const farm = await ServedFarm.start(t);
  const proxy = await CuttingProxy.start(t, farm.port);
  const blobs = new HttpBlobs(
    new FarmServers([{ address: new URL(`http://127.0.0.1:${proxy.port}/`).href, token: farm.tokens.submit }]),
  );
  cleanUp(t, () => blobs.close());
  const directory = temporaryDirectory(t, 'files');
  const file = (name: string): string => path.join(directory, name);
  const url = (name: string): URL => pathToFileURL(file(name));
  return { farm, proxy, blobs, file, url };
}

test('a file goes up and comes down, whatever its size, and is told how far it is', async (t) => {
  const { blobs, file, url } = await line(t);
  for (const size of [0, 1, BIG_BLOB_BYTES, BIG_BLOB_BYTES + 1, 3 * MiB + 7]) {
    const bytes = randomBytes(size);
    writeFileSync(file('in'), bytes);
    const told: [number, number][] = [];
    const ref = await blobs.putFile(url('in'), (moved, of) => told.push([moved, of]));
    assert.deepEqual(ref, { sha256: nameOf(bytes), size });
    assert.deepEqual(told.at(-1), [size, size]);
    await blobs.getFile(ref, url('out'), (moved, of) => told.push([moved, of]));
    assert.ok(readFileSync(file('out')).equals(bytes), `${size} bytes`);
    assert.deepEqual(told.at(-1), [size, size]);
    assert.ok(!existsSync(file('out.part')));
  }
});

test('an upload and a download that are cut half-way go on from there: little is sent twice', async (t) => {
  const { proxy, blobs, file, url } = await line(t);
  const bytes = randomBytes(4 * BIG_BLOB_BYTES);
  writeFileSync(file('in'), bytes);
  proxy.cutAfter(bytes.length / 2, 'up');
  const ref = await blobs.putFile(url('in'));
  assert.equal(proxy.cuts, 1);
  // What was in the buffers of the line when it was cut is lost.
  assert.ok(proxy.passed.up < bytes.length * 1.25, `${proxy.passed.up} bytes for ${bytes.length}`);
  proxy.cutAfter(bytes.length / 2, 'down');
  await blobs.getFile(ref, url('out'));
  assert.equal(proxy.cuts, 2);
  assert.ok(proxy.passed.down < bytes.length * 1.25, `${proxy.passed.down} bytes for ${bytes.length}`);
  assert.ok(readFileSync(file('out')).equals(bytes));
});

test('what is there already is not sent again, and what another program left of a download is used', async (t) => {
  const { proxy, blobs, file, url } = await line(t);
  const bytes = randomBytes(2 * BIG_BLOB_BYTES);
  writeFileSync(file('in'), bytes);
  const ref = await blobs.putFile(url('in'));
  const before = proxy.passed.up;
  await blobs.putFile(url('in'));
  assert.ok(proxy.passed.up - before < 10_000);
  for (const left of [bytes.subarray(0, 10 * MiB), bytes]) {
    const down = proxy.passed.down;
    writeFileSync(file('out.part'), left);
    await blobs.getFile(ref, url('out'));
    assert.ok(readFileSync(file('out')).equals(bytes));
    assert.ok(proxy.passed.down - down < bytes.length - left.length + 10_000);
  }
});

test('a download does not use what is not its own, and a file of that name stays until the new one is whole', async (t) => {
  const { blobs, file, url } = await line(t);
  const bytes = randomBytes(3 * MiB);
  writeFileSync(file('in'), bytes);
  const ref = await blobs.putFile(url('in'));
  for (const left of [randomBytes(MiB), randomBytes(4 * MiB), randomBytes(3 * MiB)]) {
    writeFileSync(file('out'), 'old');
    writeFileSync(file('out.part'), left);
    await blobs.getFile(ref, url('out'));
    assert.ok(readFileSync(file('out')).equals(bytes));
    assert.ok(!existsSync(file('out.part')));
  }
  writeFileSync(file('out'), 'old');
  await assert.rejects(blobs.getFile({ sha256: 'a'.repeat(64), size: 5 }, url('out')), { code: 'unknown' });
  assert.equal(readFileSync(file('out'), 'utf8'), 'old');
  assert.ok(!existsSync(file('out.part')), 'one without a byte is removed');
  await assert.rejects(blobs.getFile(ref, url('.')), { code: 'EISDIR' });
  await assert.rejects(blobs.putFile(url('nothing')), { code: 'ENOENT' });
});

test('a file that changes while it is uploaded is refused by its name, and nothing of it becomes a blob', async (t) => {
  const { farm, blobs, file, url } = await line(t);
  const changes = {
    longer: () => appendFileSync(file('in'), 'more'),
    shorter: () => truncateSync(file('in'), BIG_BLOB_BYTES),
    other: () => writeFileSync(file('in'), randomBytes(3 * BIG_BLOB_BYTES)),
  };
  for (const [how, change] of Object.entries(changes)) {
    const bytes = randomBytes(3 * BIG_BLOB_BYTES);
    writeFileSync(file('in'), bytes);
    let changed = false;
    const upload = blobs.putFile(url('in'), () => {
      if (!changed) change();
      changed = true;
    });
    await assert.rejects(upload, (error) => {
      assert.ok(error instanceof FarmError, how);
      assert.equal(error.code, 'changed', how);
      assert.match(error.message, /\/in was changed while it was read/);
      return true;
    });
    if (how !== 'longer') assert.equal((await farm.ask('HEAD', `/v1/blobs/${nameOf(bytes)}`)).status, 404, how);
  }
});

test('an upload of which the server has kept all bytes, or wrong ones, comes to its end', async (t) => {
  const { farm, blobs, file, url } = await line(t);
  for (const kept of [(bytes: Buffer) => bytes, (bytes: Buffer) => randomBytes(bytes.length - MiB)]) {
    const bytes = randomBytes(2 * BIG_BLOB_BYTES);
    writeFileSync(file('in'), bytes);
    const left = kept(bytes);
    writeFileSync(path.join(farm.server.dataDir, 'blobs', 'partial', nameOf(bytes)), left);
    assert.deepEqual(await blobs.putFile(url('in')), { sha256: nameOf(bytes), size: bytes.length });
    await blobs.getFile({ sha256: nameOf(bytes), size: bytes.length }, url('out'));
    assert.ok(readFileSync(file('out')).equals(bytes));
  }
});
