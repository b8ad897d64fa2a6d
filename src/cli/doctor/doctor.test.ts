import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { examineDisk, syncFinding } from './disk.ts';
import { clockFinding } from './examine.ts';
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
