import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BOOT_CONFIG_MAGIC } from './boot-config.ts';
import { writeConfigArchive } from './config-archive.ts';
import { type CpioEntry, writeCpio } from './cpio.ts';

interface Read {
  readonly name: string;
  readonly mode: string;
  readonly content: string;
  readonly device?: string;
}

/** Reads as the kernel does: by the numbers in the heads, each part at the next multiple of four. */
function readCpio(archive: Uint8Array): Read[] {
  const text = Buffer.from(archive).toString('latin1');
  const found: Read[] = [];
  const inodes = new Set<number>();
  for (let at = 0; ; ) {
    assert.equal(text.slice(at, at + 6), '070701', `a head at ${at}`);
    const numbers = [...text.slice(at + 6, at + 110).matchAll(/.{8}/g)].map(([digits]) => Number.parseInt(digits, 16));
    const [inode = 0, mode = 0, uid, gid, , , size = 0, , , major, minor, nameSize = 0, sum] = numbers;
    assert.deepEqual([uid, gid, sum], [0, 0, 0]);
    const name = text.slice(at + 110, at + 110 + nameSize - 1);
    const start = Math.ceil((at + 110 + nameSize) / 4) * 4;
    const content = text.slice(start, start + size);
    at = Math.ceil((start + size) / 4) * 4;
    if (name === 'TRAILER!!!') {
      assert.ok(archive.subarray(at).every((byte) => byte === 0) && archive.length - at < 512);
      return found;
    }
    assert.ok(!inodes.has(inode), `two names for one file: ${inode}`);
    inodes.add(inode);
    found.push({ name, mode: mode.toString(8), content, ...(major !== 0 && { device: `${major}:${minor}` }) });
  }
}

const file = (name: string, words = '', permissions?: number): CpioEntry => ({
  name,
  kind: 'file',
  bytes: Buffer.from(words),
  ...(permissions !== undefined && { permissions }),
});

describe('an archive for the kernel', () => {
  test('holds what was given, and the folders that it lies in, before it', () => {
    const archive = writeCpio([
      file('init', '#!/bin/sh\n', 0o755),
      { name: 'dev/console', kind: 'device', major: 5, minor: 1 },
      { name: 'bin/sh', kind: 'link', target: 'busybox' },
      { name: 'root', kind: 'directory', permissions: 0o700 },
      file('etc/a/b', 'x'),
    ]);
    assert.equal(archive.length % 512, 0);
    assert.deepEqual(readCpio(archive), [
      { name: 'bin', mode: '40755', content: '' },
      { name: 'bin/sh', mode: '120777', content: 'busybox' },
      { name: 'dev', mode: '40755', content: '' },
      { name: 'dev/console', mode: '20600', content: '', device: '5:1' },
      { name: 'etc', mode: '40755', content: '' },
      { name: 'etc/a', mode: '40755', content: '' },
      { name: 'etc/a/b', mode: '100644', content: 'x' },
      { name: 'init', mode: '100755', content: '#!/bin/sh\n' },
      { name: 'root', mode: '40700', content: '' },
    ]);
  });

  test('is the same bytes for the same files, in whatever order', () => {
    const entries = [file('b', 'two'), file('a/c', 'one'), file('a/bb', '')];
    assert.deepEqual(writeCpio(entries), writeCpio([...entries].reverse()));
  });

  const refused: Record<string, CpioEntry[]> = {
    'a path from the root': [file('/init')],
    'a path that leaves it': [file('a/../../b')],
    'a name twice': [file('a'), file('a')],
    'a file in a file': [file('a'), file('a/b')],
    'no name': [file('')],
  };
  for (const [what, entries] of Object.entries(refused)) {
    test(`is not made of ${what}`, () => assert.throws(() => writeCpio(entries), TypeError));
  }

  test('with a configuration has always the same length, and the token in a file that only root may read', () => {
    const one = writeConfigArchive({ server: [] });
    const other = writeConfigArchive({ server: ['http://10.0.2.2:7070'], token: 'secret' });
    assert.equal(one.length, other.length);
    const [folder, config] = readCpio(other);
    assert.deepEqual([folder?.name, config?.name, config?.mode], ['etc', 'etc/mh.conf', '100600']);
    assert.ok(config?.content.startsWith(`${BOOT_CONFIG_MAGIC}\nserver=http://10.0.2.2:7070\ntoken=secret\n\n`));
  });
});
