import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/directories.ts';
import { run } from '../../test/support/processes.ts';
import { jsonBody, ServedFarm } from '../../test/support/served-farm.ts';
import { TAR_END, tarHead, tarPadding } from './tar.ts';

const CODE = "export default (x) => (x === 1 ? 'a'.repeat(200_000) : [x, 'ok'])";

test('a server starts on an unpacked backup that was made under load, with results, blobs and tokens (D9)', async (t) => {
  const farm = await ServedFarm.start(t);
  await farm.join();
  const first = await farm.submit({ code: CODE, inputs: [0, 1, 2] });
  const results = await farm.ask('GET', `/v1/jobs/${first}/results?follow`);
  // Commits go on while the copy is made.
  const busy = await farm.submit({ code: CODE, range: { start: 2, step: 1, count: 200_000 } });
  const answer = await farm.ask('GET', '/v1/backup');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'application/x-tar');
  const directory = path.join(temporaryDirectory(t, 'restored'), 'data');
  mkdirSync(directory);
  writeFileSync(`${directory}.tar`, answer.body);
  assert.equal((await run(t, ['tar', '-xf', `${directory}.tar`, '-C', directory])).code, 0);
  assert.equal(statSync(path.join(directory, 'admin.token')).mode & 0o777, 0o600);
  assert.ok(!readdirSync(farm.server.dataDir).includes('backup.db'), 'the copy is gone');
  await farm.ask('POST', `/v1/jobs/${busy}/cancel`);

  const restored = await ServedFarm.start(t, { dataDir: directory });
  assert.equal(restored.server.adminToken, farm.server.adminToken);
  assert.equal(new URL(restored.server.joinUrl).hash, new URL(farm.server.joinUrl).hash);
  const again = await restored.ask('GET', `/v1/jobs/${first}/results`);
  assert.equal(again.text, results.text);
  assert.equal(again.text.length > 200_000, true);
  // The job that ran then is not lost: it goes on where the copy was made.
  await restored.join(2);
  const rest = await restored.ask('GET', `/v1/jobs/${busy}/results?follow`);
  assert.equal(rest.text.trim().split('\n').length, 200_000);
});

test('two backups at once are one too many, and only administrators get any', async (t) => {
  const farm = await ServedFarm.start(t);
  const answers = await Promise.all([farm.ask('GET', '/v1/backup'), farm.ask('GET', '/v1/backup')]);
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
  assert.equal((await farm.ask('GET', '/v1/backup')).status, 200);
  assert.equal((await farm.ask('GET', '/v1/backup', { token: farm.tokens.submit })).status, 403);
});

test('a blob that is damaged is as damaged in the backup, and nothing else is', async (t) => {
  const farm = await ServedFarm.start(t);
  const put = async (text: string): Promise<string> => {
    const sha256 = hash('sha256', text);
    const headers = { 'content-type': 'application/octet-stream' };
    await farm.ask('PUT', `/v1/blobs/${sha256}`, { ...jsonBody(''), headers, body: text });
    return sha256;
  };
  const [good, bad] = [await put('good'.repeat(1_000)), await put('bad'.repeat(1_000))];
  writeFileSync(path.join(farm.server.dataDir, 'blobs', bad), `X${'bad'.repeat(1_000).slice(1)}`);
  const directory = temporaryDirectory(t, 'restored');
  writeFileSync(path.join(directory, 'backup.tar'), (await farm.ask('GET', '/v1/backup')).body);
  assert.equal((await run(t, ['tar', '-xf', 'backup.tar'], { cwd: directory })).code, 0);
  assert.equal(readFileSync(path.join(directory, 'blobs', good), 'utf8'), 'good'.repeat(1_000));
  assert.equal(statSync(path.join(directory, 'blobs', bad)).size, 3_000);
});

test('heads are those of tar, also beyond 8 GiB', async (t) => {
  const directory = temporaryDirectory(t, 'tar');
  const file = path.join(directory, 'a.tar');
  const small = Buffer.from('hello');
  writeFileSync(file, Buffer.concat([tarHead('blobs/a', 5, 0), small, tarPadding(5), TAR_END]));
  assert.match((await run(t, ['tar', '-tvf', file])).stdout, /^-rw------- 0\/0 +5 1970-01-01 .* blobs\/a\n$/);
  assert.deepEqual([tarPadding(0).length, tarPadding(512).length, tarPadding(513).length], [0, 0, 511]);
  const size = 5 * 1024 ** 4 + 7;
  writeFileSync(file, Buffer.concat([tarHead('large', size, 0), TAR_END]));
  assert.match((await run(t, ['tar', '-tvf', file])).stdout, new RegExp(`^-rw------- 0/0 +${size} `));
});
