import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { repository } from '../../../../test/support/directories.ts';
import type { WasiResult } from '../../../model/wasm.ts';
import { ExitError } from '../task-failure.ts';
import type { TaskFunction } from '../task-module.ts';
import { loadProgram, type ProgramFacts } from './program.ts';

const probe = readFileSync(path.join(repository, 'test/wasm/probe.wasm'));

/** The fixture as a task. What it is asked is in `test/wasm/probe.c`. */
async function load(more: Partial<ProgramFacts> = {}, deterministic?: boolean): Promise<TaskFunction> {
  const code = { runner: 'wasi', sha256: 'ab'.repeat(32), size: probe.length, sourceName: 'tests/probe.wasm' } as const;
  const task = await loadProgram(probe, { code: { ...code, ...(deterministic && { deterministic }) }, ...more });
  assert.equal(typeof task, 'function', JSON.stringify(task));
  return task as TaskFunction;
}

const task = await load();
const run = (input: unknown, context: object = { index: 0 }): unknown => task(input, context);

function failing(input: unknown): Error {
  try {
    run(input);
  } catch (error) {
    return error as Error;
  }
  throw new Error(`${JSON.stringify(input)} did not fail`);
}

describe('what a program is given', () => {
  it('a text, a number or a list of them are its arguments, whatever letters they have', () => {
    assert.equal(run('args'), 'probe.wasm\nargs');
    assert.equal(run(['args', 1, 2n, true, 'drei Äpfel 🍏', '']), 'probe.wasm\nargs\n1\n2\ntrue\ndrei Äpfel 🍏\n');
    const long = ['args', ...Array.from({ length: 50 }, (_, i) => `${i}${'Ä'.repeat(500)}`)];
    assert.equal(run(long), ['probe.wasm', ...long].join('\n'));
  });

  it('bytes are its standard input, nothing is nothing', () => {
    assert.equal(run(undefined), '');
    assert.equal(run({ args: ['stdin'], stdin: 'höre\n' }), 'höre');
    assert.deepEqual(run({ args: 'stdin', stdin: Uint8Array.of(255, 10) }), Uint8Array.of(255, 10));
  });

  it('its environment is what it is given, and no more', () => {
    assert.equal(run({ args: ['env'], env: { A: '1', B: 'x=y' } }), 'A=1\nB=x=y');
    assert.equal(run(['env']), '');
  });

  it('files lie in its directory, also below others; nothing of a task is there for the next', () => {
    const files = { 'a.txt': 'A\n', 'sub/b.bin': Uint8Array.of(66) };
    assert.equal(run({ args: ['cat', 'a.txt', 'cat', 'sub/b.bin'], files }), 'A\nB');
    assert.equal(run(['cat', 'a.txt']), 'no file');
    const given = Uint8Array.from(Buffer.from('x'));
    run({ args: ['write', 'f', 1], files: { f: given } });
    assert.deepEqual(given, Uint8Array.from(Buffer.from('x')));
  });

  it('blobs of the farm stand for bytes', async () => {
    const blobs: Record<string, Uint8Array> = { [`${'0'.repeat(64)}`]: Buffer.from('far away') };
    const context = { index: 0, blob: async (sha256: string) => blobs[sha256] };
    const ref = { sha256: '0'.repeat(64), size: 8 };
    assert.equal(
      await run({ args: ['cat', 'f', 'stdin'], files: { f: ref }, stdin: ref }, context),
      'far awayfar away',
    );
  });
});

describe('what a program gives', () => {
  it('is what it prints, as a text without the last end of line; bytes where it is no UTF-8', () => {
    assert.equal(run(['args', 'x\n']), 'probe.wasm\nargs\nx\n');
    assert.deepEqual(run('bytes'), Uint8Array.of(0xff, 0, 0xfe));
  });

  it('is all of it, if files are collected', () => {
    const args = ['mkdir', 'out', 'write', 'out/a.txt', 2, 'complain', 'bytes'];
    const result = run({ args, files: { 'out.txt': 'in', 'b.txt': 'in' }, collect: ['out/*', 'o*.txt'] });
    const files = { 'out/a.txt': 'line\nline\n\0\0\0gap\nend\n', 'out.txt': 'in' };
    const stdout = Uint8Array.of(0xff, 0, 0xfe);
    assert.deepEqual(result, { stdout, stderr: 'complaint\nunfinished', exitCode: 0, files } satisfies WasiResult);
    assert.deepEqual((run({ collect: [] }) as WasiResult).files, {});
  });

  it('is a failure where a file that is collected is not there', () => {
    const { name, message, stack } = failing({ files: { 'a.txt': '' }, collect: ['*.png'] });
    assert.deepEqual([name, message, stack], ['WasiError', 'probe.wasm left no file *.png; there is a.txt', undefined]);
  });

  it('is a failure with its code and its last words, if it exits with another than 0', () => {
    const error = failing(['complain', 'exit', 3]);
    assert.ok(error instanceof ExitError);
    assert.equal(error.exitCode, 3);
    assert.equal(error.message, 'probe.wasm exited with code 3; its last words:\ncomplaint\nunfinished');
    assert.equal(run(['exit', 0]), 'before the end');
  });

  it('is a failure that says where, if it is trapped', () => {
    const { name, message, stack } = failing(['complain', 'trap']);
    assert.equal(name, 'RuntimeError');
    assert.equal(message, 'probe.wasm was ended by a trap: unreachable; its last words:\ncomplaint\nunfinished');
    assert.match(stack ?? '', /^RuntimeError: .*\n {4}at wasm:\/\/wasm\/\w+:wasm-function\[\d+\]:0x\w+/s);
    assert.doesNotMatch(stack ?? '', /program\.ts|wasi\.js/);
  });
});

describe('what a program finds', () => {
  it('a disk, on which files are moved, removed, grow, and end', () => {
    const moved = ['write', 'a', 1, 'mkdir', 'd', 'mv', 'a', 'd/b', 'cat', 'd/b', 'rm', 'd/b', 'cat', 'd/b', 'ls'];
    assert.equal(run(moved), 'line\n\0\0\0gap\nend\nno file\n. 1\n.. 0\nd 3');
    assert.equal(run(['cat', '../a', 'cat', '/etc/passwd']), 'no file\nno file');
  });

  it('input that is ready at once, while it would also wait ten seconds', () => {
    const begun = performance.now();
    assert.equal(run('poll'), '1 of 7');
    assert.ok(performance.now() - begun < 5_000);
  });

  it('real clocks, chance, and time that passes', () => {
    const [real, steady, later] =
      String(run(['clocks', 'sleep', 'clocks']))
        .match(/\d+/g)
        ?.map(Number) ?? [];
    assert.ok(Math.abs((real ?? 0) - Date.now()) < 60_000);
    assert.ok((later ?? 0) - (real ?? 0) >= 1_000 && steady !== undefined);
    assert.notEqual(run('random'), run('random'));
  });

  it('the same clocks and chance each time, and no two tasks with the same chance, where that is wanted', async () => {
    const [one, other] = [await load({}, true), await load({}, true)];
    const asked = ['clocks', 'random', 'sleep', 'random', 'clocks'];
    const begun = performance.now();
    assert.equal(one(asked, { index: 5 }), other(asked, { index: 5 }));
    assert.ok(performance.now() - begun < 900, 'it did not sleep');
    const first = String(one(asked, { index: 5 }));
    assert.match(first, /^real 946684800001\nsteady 2\n.*real 946684801003\nsteady 1004$/s);
    const drawn = Array.from({ length: 50 }, (_, index) => one('random', { index: index * 2 ** 31 }));
    assert.equal(new Set(drawn).size, 50);
  });
});

describe('what a program may take', () => {
  it('as much memory as the job says: then it gets no more, which it may heed', async () => {
    const megabytes = 1024 * 1024;
    const limited = await load({ memory: 10 * megabytes });
    assert.equal(limited('memory', { index: 0 }), '7 MiB');
    assert.throws(
      () => limited(['memory', 'trap'], { index: 0 }),
      /of the 10 MiB that the job allows, its memory had 9/,
    );
    assert.equal(limited('args', { index: 0 }), 'probe.wasm\nargs', 'another instance has its own');
  });

  it('memories that are garbage are collected before they are many', async () => {
    let collected = 0;
    const memory = 10 * 1024 * 1024;
    const limited = await load({ memory, collect: () => void (collected += 1) });
    for (let i = 0; i < 8; i++) limited('memory', { index: i });
    assert.equal(collected, 3);
  });
});
