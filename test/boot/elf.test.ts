import assert from 'node:assert/strict';
import { chmodSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { librariesOf, moduleFacts, withoutSymbols } from '../../os/build/elf.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { run } from '../support/processes.ts';

const isKnown = process.platform === 'linux' && process.arch in { x64: 0, arm64: 0 };

describe('programs of Linux', { skip: isKnown ? false : 'needs Linux on x64 or arm64' }, () => {
  const node = isKnown ? readFileSync(realpathSync(process.execPath)) : Buffer.alloc(0);

  test('name the libraries that they need', () => {
    const libraries = librariesOf(node);
    assert.ok(libraries.includes('libc.so.6') && libraries.includes('libm.so.6'), libraries.join());
  });

  test('run without their symbols, and name the same libraries', async (t) => {
    const small = withoutSymbols(node);
    assert.ok(small.length <= node.length);
    assert.deepEqual(librariesOf(small), librariesOf(node));
    const file = path.join(temporaryDirectory(t, 'elf'), 'node');
    writeFileSync(file, small);
    chmodSync(file, 0o755);
    const { stdout, stderr } = await run(t, [file, '-p', '6 * 7']);
    assert.equal(stdout, '42\n', stderr);
  });
});

test('what is no program is refused', () => {
  assert.throws(() => librariesOf(Buffer.from('#!/bin/sh\n'.padEnd(200))), /not ELF of 64 bits/);
});

test('a module of the kernel says what it depends on, as often as it has something to say', () => {
  const names = Buffer.from('\0.modinfo\0.shstrtab\0');
  const facts = Buffer.from('alias=pci:v1\0alias=pci:v2\0depends=a,b-c\0\0nothing\0');
  const head = Buffer.alloc(64);
  const sections = Buffer.alloc(3 * 64);
  const put = (i: number, name: number, at: number, size: number): void => {
    sections.writeUInt32LE(name, i * 64);
    sections.writeBigUInt64LE(BigInt(at), i * 64 + 24);
    sections.writeBigUInt64LE(BigInt(size), i * 64 + 32);
  };
  put(1, 1, 64, facts.length);
  put(2, 10, 64 + facts.length, names.length);
  head.write('\x7fELF\x02\x01', 'latin1');
  head.writeBigUInt64LE(BigInt(64 + facts.length + names.length), 40);
  head.writeUInt16LE(64, 58);
  head.writeUInt16LE(3, 60);
  head.writeUInt16LE(2, 62);
  assert.deepEqual(moduleFacts(Buffer.concat([head, facts, names, sections])), [
    ['alias', 'pci:v1'],
    ['alias', 'pci:v2'],
    ['depends', 'a,b-c'],
  ]);
});
