import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { openSqliteStore } from '../../store/sqlite/sqlite-store.ts';
import { examineData } from './data.ts';
import { examineDisk, syncFinding } from './disk.ts';
import { clockFinding, examine } from './examine.ts';
import { examinePort, nodeFinding } from './machine.ts';

test('a data directory that is not there yet is looked at where it will be, and nothing is left behind', async (t) => {
  const directory = temporaryDirectory(t);
  const findings = await Array.fromAsync(examineDisk(path.join(directory, 'a/b')));
  assert.equal(findings[0]?.state, 'ok');
  assert.match(findings[0]?.words ?? '', /made by the first serve/);
  assert.match(findings.at(-1)?.words ?? '', /^a sync takes [\d.]+ ms, .* are free/);
  assert.ok(existsSync(directory));
  assert.deepEqual(readdirSync(directory), []);
});

test('data that a server could not open is told, and neither it nor its surroundings are touched', async (t) => {
  const directory = temporaryDirectory(t);
  const look = () => [...examineData(directory)].map(({ state, words }) => `${state}: ${words}`);
  assert.deepEqual(look(), [], 'no data yet');
  const store = await openSqliteStore(directory);
  assert.deepEqual(look(), [
    `note: process ${process.pid} holds it, and does not answer as a server: look at that process`,
  ]);
  await store.close();
  rmSync(path.join(directory, 'manyhands.lock'));
  const files = () => readdirSync(directory).map((name) => [name, statSync(path.join(directory, name)).mtimeMs]);
  const before = files();
  assert.deepEqual(look(), ['ok: can be read, and is whole']);
  assert.deepEqual(files(), before);
  const file = path.join(directory, 'manyhands.db');
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(7, 4096, 4096 * 3));
  const [damaged = ''] = look();
  assert.ok(damaged?.startsWith(`wrong: ${file} is damaged (`), damaged);
  assert.match(damaged, /To restore: unpack your latest 'manyhands backup'/);
  assert.deepEqual(readFileSync(file), bytes);
});

test('the port of a data directory is that of its last server', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(path.join(directory, 'server.json'), '{"url":"http://127.0.0.1:9"}');
  const findings = await Array.fromAsync(examine({ data: directory }));
  assert.match(findings.find(({ what }) => what === 'port')?.words ?? '', /^9 /);
  const { words } = findings.at(-1) ?? {};
  assert.equal(words, `none runs with this data directory; start one with: manyhands serve --data ${directory}`);
});

test('a slow disk is told', () => {
  assert.equal(syncFinding(0.07, 1e12).state, 'ok');
  assert.match(syncFinding(35, 1e12).words, /35\.0 ms.*each single task waits/);
});

test('a port in use is told, and what to do', async (t) => {
  const server = createServer();
  cleanUp(t, () => server.close());
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  const finding = await examinePort(port);
  assert.equal(finding.state, 'wrong');
  assert.match(finding.words, /in use by another program: use another with serve --port/);
});

test('an old Node and a clock that differs are told', () => {
  assert.equal(nodeFinding('24.15.0').state, 'ok');
  assert.match(nodeFinding('24.9.0').words, /too old/);
  assert.equal(clockFinding(1_000_000, 1_003_000).state, 'ok');
  assert.match(clockFinding(1_000_000, 1_060_000).words, /60 s ahead of the server's/);
});
