import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { repository } from '../../../../test/support/directories.ts';
import type { TaskFunction } from '../task-module.ts';
import { loadProgram } from './program.ts';

const probe = readFileSync(path.join(repository, 'test/wasm/probe.wasm'));
const code = { runner: 'wasi', sha256: 'ab'.repeat(32), size: probe.length, sourceName: 'probe.wasm' } as const;
const task = (await loadProgram(probe, { code })) as TaskFunction;

test('a program prints no more than fits a text', () => {
  assert.throws(() => task('flood', { index: 0 }), {
    name: 'WasiError',
    message: 'it printed more than 256 MiB to stdout',
  });
});

test('its disk is full when its room is used up, and has room again for what is removed', () => {
  assert.equal(task(['fill', 'rm', 'full', 'fill'], { index: 0 }), '1024 MiB\n1024 MiB');
});
