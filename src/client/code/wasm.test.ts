import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { WASI } from '@bjorn3/browser_wasi_shim';
import { repository, temporaryDirectory } from '../../../test/support/directories.ts';
import { PREVIEW1_FUNCTIONS } from '../../model/wasm.ts';
import { TaskCodeError } from './task-code-error.ts';
import { codeOfFile } from './task-file.ts';

const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const text = (word: string): number[] => [word.length, ...Buffer.from(word)];
const section = (id: number, body: number[]): number[] => [id, body.length, ...body];
const TYPE = section(1, [1, 0x60, 0, 0]);
/** Functions without a parameter, by module and name. */
const importsOf = (...names: [string, string][]): number[] =>
  section(2, [names.length, ...names.flatMap(([module, name]) => [...text(module), ...text(name), 0, 0])]);
const MEMORY = section(5, [1, 0, 1]);
const START = section(7, [1, ...text('_start'), 0, 0]);

const GOOD = 'wasi_snapshot_preview1';
const ADVICE = 'compile it for WASI preview 1 \\(wasm32-wasip1, formerly wasm32-wasi\\)';

test('a program is sent as the bytes that it has, by the name that its user gave', async () => {
  const { code, sourceName, runner } = await codeOfFile('examples/wasm/count.wasm', repository);
  assert.deepEqual([sourceName, runner], ['examples/wasm/count.wasm', 'wasi']);
  assert.deepEqual(Buffer.from(code), readFileSync(path.join(repository, 'examples/wasm/count.wasm')));
});

test('what is no program is refused before it is sent, with one sentence', async (t) => {
  const unknown: [string, string][] = Array.from({ length: 7 }, (_, i) => ['env', `f${i}`]);
  const cases: [number[], string][] = [
    [[], 'is no WebAssembly: it does not begin as a module does'],
    [[...Buffer.from('#!/bin/sh')], 'is no WebAssembly: it does not begin as a module does'],
    [
      [...HEAD.slice(0, 4), 0x0d, 0, 1, 0],
      `is a component of preview 2 or later, and workers run core modules: ${ADVICE}`,
    ],
    [[...HEAD.slice(0, 4), 2, 0, 0, 0], 'has version 2 of WebAssembly, and workers know version 1'],
    [[...HEAD, 99], 'does not compile: .*'],
    [
      [...HEAD, ...TYPE, ...importsOf(['env', 'puts'], [GOOD, 'fd_write'])],
      `imports env.puts, which workers do not have: ${ADVICE}`,
    ],
    [
      [...HEAD, ...TYPE, ...importsOf(...unknown)],
      'imports env.f0, env.f1, env.f2, env.f3, env.f4 and 2 more, which workers .*',
    ],
    [
      [...HEAD, ...TYPE, ...importsOf([GOOD, 'fd_fly'])],
      `imports ${GOOD}.fd_fly, which workers do not have: ${ADVICE}`,
    ],
    [[...HEAD, ...TYPE, ...importsOf(['wasi_unstable', 'fd_write'])], 'imports wasi_unstable.fd_write, which .*'],
    [[...HEAD, ...MEMORY], `exports no _start, so it is a library and no program: ${ADVICE}, with a main function`],
    [[...HEAD, ...TYPE, ...importsOf([GOOD, 'sched_yield']), ...START], 'exports no memory, by which .*'],
  ];
  const directory = temporaryDirectory(t, 'wasm');
  for (const [bytes, problem] of cases) {
    writeFileSync(path.join(directory, 'tool.wasm'), Uint8Array.from(bytes));
    await assert.rejects(codeOfFile('tool.wasm', directory), (error) => {
      assert.ok(error instanceof TaskCodeError, String(error));
      assert.match(error.message, new RegExp(`^the WebAssembly module tool\\.wasm ${problem}$`));
      return true;
    });
  }
  await assert.rejects(codeOfFile('none.wasm', directory), /^TaskCodeError: the task module none\.wasm does not exist/);
});

test('every function of preview 1 is there, and no other is promised', () => {
  assert.deepEqual(
    [...PREVIEW1_FUNCTIONS].sort(),
    Object.keys(new WASI([], [], [], { debug: false }).wasiImport).sort(),
  );
});

test('the programs that are committed were compiled from their sources as they are now', () => {
  const sources = globSync(['examples/wasm/*.c', 'test/wasm/*.c'], { cwd: repository });
  assert.equal(sources.length, 3);
  for (const source of sources) {
    const bytes = readFileSync(path.join(repository, source.replace(/\.c$/, '.wasm')));
    const hash = createHash('sha256')
      .update(readFileSync(path.join(repository, source)))
      .digest();
    assert.deepEqual(bytes.subarray(-32), hash, `${source} has changed: node scripts/compile-wasm.ts`);
    assert.ok(bytes.length <= 20_000, source);
  }
});
