import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import type { Cleanup } from '../../test/support/cleanup.ts';
import { CommandLine } from '../../test/support/command-line.ts';

const suite: Cleanup = { after };

describe('manyhands upload and download', () => {
  const line = new CommandLine(suite);
  const bytes = randomBytes(9 * 1024 * 1024);
  const name = hash('sha256', bytes);

  it('store files, name them as sha256sum does, and bring them back', async () => {
    await line.serve();
    line.write('in.bin', bytes);
    line.write('empty', '');
    const sent = await line.run(['upload', 'in.bin', 'empty']);
    assert.deepEqual([sent.code, sent.stderr], [0, '']);
    assert.equal(sent.stdout, `${name}  in.bin\n${hash('sha256', '')}  empty\n`);
    for (const file of [undefined, 'out.bin']) {
      const got = await line.run(['download', name, ...(file === undefined ? [] : [file])]);
      assert.deepEqual([got.code, got.stdout, got.stderr], [0, '', '']);
      assert.ok(readFileSync(path.join(line.directory, file ?? name)).equals(bytes));
    }
  });

  it('say in one sentence what can not be', async () => {
    const refusals: [string[], number, RegExp][] = [
      [['upload', 'in.bin', 'none.bin'], 2, /none\.bin: there is no such file$/m],
      [['upload', '.'], 2, /\. is no file: it cannot be stored as one$/m],
      [['download', 'abc'], 2, /"abc" names no blob: its name is a SHA-256, 64 of the digits 0-9 and a-f$/m],
      [['download', 'a'.repeat(64)], 2, /the farm has no blob a{64}$/m],
      [['download', name, 'none/out.bin'], 2, /none\/out\.bin can't be written: there is no directory none$/m],
      [['download', name, '.'], 2, /it is a directory$/m],
      [['upload', 'in.bin', '--url', 'http://127.0.0.1:9/'], 3, /127\.0\.0\.1:9/],
    ];
    for (const [args, code, says] of refusals) {
      const { stdout, stderr, ...exit } = await line.run(args);
      assert.deepEqual([exit.code, stdout], [code, ''], stderr);
      assert.match(stderr, says);
      assert.match(stderr, /^manyhands: [^\n]+\n$/, 'one sentence');
    }
    assert.ok(!existsSync(path.join(line.directory, 'a'.repeat(64))));
  });
});
