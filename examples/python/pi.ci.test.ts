import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { typeDocument } from '../../test/support/documents.ts';

const noPython = spawnSync('python3', ['--version']).status !== 0 && 'there is no python3';

test('its README prints what it says it prints', { timeout: 170_000, skip: noPython }, async (t) => {
  assert.ok((await typeDocument(t, 'examples/python/README.md')) >= 3);
});
