import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/directories.ts';
import { Zip } from './zip.ts';

/** Another's reader: it checks every sum, and says what it found. */
const READER = `
import hashlib, json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    print(json.dumps([[each.filename, each.date_time, each.file_size, hashlib.sha256(archive.read(each)).hexdigest()] for each in archive.infolist()]))
`;

async function* inParts(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  const lent = new Uint8Array(length);
  for (let at = 0; at < bytes.length; at += length) {
    const part = bytes.subarray(at, at + length);
    lent.set(part);
    yield lent.subarray(0, part.length);
    lent.fill(0xee);
  }
}

test('files that are here and files that come in parts are what another program finds', async (t) => {
  const long = Buffer.alloc(300_000, 'all work and no play ');
  const noise = Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * 7919) % 251));
  const zip = new Zip(Date.UTC(2031, 5, 7, 8, 9, 11));
  const parts: Uint8Array[] = [
    ...zip.whole('a/empty.txt', new Uint8Array(0), false),
    ...zip.whole('a/short.txt', Buffer.from('short'), false),
    ...zip.whole('a/long.txt', long, false),
    ...zip.whole('a/noise.png', noise, true),
    ...(await Array.fromAsync(zip.streamed('a/in parts.bin', inParts(long, 7_000)))),
    ...(await Array.fromAsync(zip.streamed('a/nothing.bin', inParts(new Uint8Array(0), 1)))),
    ...zip.whole('a/bä.txt', Buffer.from('after'), false),
    ...zip.end(),
  ];
  const file = path.join(temporaryDirectory(t, 'zip'), 'x.zip');
  writeFileSync(file, Buffer.concat(parts));
  assert.ok(Buffer.concat(parts).length < 60_000, 'what can be packed is packed');
  const found = JSON.parse(execFileSync('python3', ['-c', READER, file], { encoding: 'utf8' })) as unknown[];
  const { createHash } = await import('node:crypto');
  const told = (name: string, bytes: Uint8Array) => [
    name,
    [2031, 6, 7, 8, 9, 10],
    bytes.length,
    createHash('sha256').update(bytes).digest('hex'),
  ];
  assert.deepEqual(found, [
    told('a/empty.txt', new Uint8Array(0)),
    told('a/short.txt', Buffer.from('short')),
    told('a/long.txt', long),
    told('a/noise.png', noise),
    told('a/in parts.bin', long),
    told('a/nothing.bin', new Uint8Array(0)),
    told('a/bä.txt', Buffer.from('after')),
  ]);
});

test('what fails while it is packed fails the archive', async () => {
  const zip = new Zip(0);
  const broken = async function* () {
    yield Buffer.from('half');
    throw new Error('the disk is gone');
  };
  await assert.rejects(Array.fromAsync(zip.streamed('x', broken())), /the disk is gone/);
});

test('more files than two bytes can count', async (t) => {
  const zip = new Zip(0);
  const parts: Uint8Array[] = [];
  for (let i = 0; i < 66_000; i++) parts.push(...zip.whole(`${i}`, Buffer.from(`${i}`), false));
  parts.push(...zip.end());
  const file = path.join(temporaryDirectory(t, 'zip'), 'many.zip');
  writeFileSync(file, Buffer.concat(parts));
  const script = `import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1]) as a: print(len(a.namelist()), a.read('65999').decode())`;
  assert.equal(execFileSync('python3', ['-c', script, file], { encoding: 'utf8' }), '66000 65999\n');
});
