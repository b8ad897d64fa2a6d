import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import type { Format } from './formats.ts';
import { openInputs, parseInput, readInputs } from './inputs.ts';

const asIs = (value: unknown) => value;

/** Reads a text in pieces of every size that is asked for, so that a line may break anywhere. */
async function read(text: string | Uint8Array, format: Format, pieces = [1, 3, 1000]): Promise<unknown[]> {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  let first: unknown[] | undefined;
  for (const size of pieces) {
    async function* cut() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    const values = await Array.fromAsync(await readInputs({ name: 'some.file', bytes: cut() }, format, asIs));
    if (first !== undefined) assert.deepEqual(values, first);
    first = values;
  }
  return first ?? [];
}

describe('lines', () => {
  it('end with a line feed, with or without a carriage return, or with the text', async () => {
    assert.deepEqual(await read('one\ntwo\r\n\nvier 漢\r\nlast', 'lines'), ['one', 'two', '', 'vier 漢', 'last']);
    assert.deepEqual(await read('one\n', 'lines'), ['one']);
    assert.deepEqual(await read('', 'lines'), []);
    assert.deepEqual(await read('\n\n', 'lines'), ['', '']);
  });

  it('lose a byte order mark', async () => {
    assert.deepEqual(await read('\ufeffone\n\ufefftwo', 'lines'), ['one', '\ufefftwo']);
  });

  it('that are not UTF-8 are named by their number', async () => {
    const broken = Buffer.concat([Buffer.from('one\ntwo 漢\n'), Buffer.from([0xe4, 0x20]), Buffer.from('\nfour\n')]);
    await assert.rejects(read(broken, 'lines', [1]), /^InputError: some\.file, line 3: is not UTF-8/);
    await assert.rejects(read(broken, 'lines', [1000]), /line 3/);
  });
});

describe('JSON lines', () => {
  it('are one value each', async () => {
    assert.deepEqual(await read('1\n "a" \n{"b":[null]}\r\n', 'jsonl'), [1, 'a', { b: [null] }]);
  });

  it('that are broken are named by their number, empty ones too', async () => {
    await assert.rejects(read('1\n2\n{"a":\n4\n', 'jsonl'), /^InputError: some\.file, line 3: is not JSON: /);
    await assert.rejects(read('1\n\n\n3\n', 'jsonl'), /line 2: is empty/);
  });

  it('may be followed by empty ones', async () => {
    assert.deepEqual(await read('1\n2\n\n', 'jsonl'), [1, 2]);
    assert.deepEqual(await read('1\n\n \r\n\n', 'jsonl'), [1]);
    assert.deepEqual(await read('\n', 'jsonl'), []);
  });
});

describe('comma and tab separated values', () => {
  it('are objects of strings, with quotes, line feeds and commas in them', async () => {
    const text = '\ufeffname,says\r\nAda,"so, ""this""\nis it"\r\n\r\nBob,7\r\n';
    assert.deepEqual(await read(text, 'csv'), [
      { name: 'Ada', says: 'so, "this"\nis it' },
      { name: 'Bob', says: '7' },
    ]);
    assert.deepEqual(await read('a\tb\n"x"\t1,2\n', 'tsv'), [{ a: '"x"', b: '1,2' }]);
  });

  it('that do not fit their header are named by their line', async () => {
    await assert.rejects(
      read('a,b\n1,2\n3\n', 'csv'),
      /^InputError: some\.file, line 3: has 1 fields, but the header has 2/,
    );
    await assert.rejects(read('a,b\n1,"2\n3\n', 'csv'), /never closed/);
    await assert.rejects(read('a,a\n1,2\n', 'csv'), /line 1: names the column "a" twice/);
    await assert.rejects(read('a,\n1,2\n', 'csv'), /line 1: has no name for column 2/);
  });
});

describe('a file of inputs', () => {
  it('is read by what its name says, unless told otherwise', async (t) => {
    const directory = temporaryDirectory(t);
    const file = path.join(directory, 'numbers.NDJSON');
    writeFileSync(file, '1\n2\n');
    assert.deepEqual(await Array.fromAsync(await openInputs(file, undefined, asIs)), [1, 2]);
    assert.deepEqual(await Array.fromAsync(await openInputs(file, 'lines', asIs)), ['1', '2']);
  });

  it('that is not there, or no file, is told at once', async (t) => {
    const directory = temporaryDirectory(t);
    await assert.rejects(
      openInputs(path.join(directory, 'no.txt'), undefined, asIs),
      /there is no input file .*no\.txt/,
    );
    await assert.rejects(openInputs(directory, undefined, asIs), /is a directory/);
  });
});

it('an argument is JSON, or else a text', () => {
  const cases: [string, unknown][] = [['7', 7], ['{"a":1}', { a: 1 }], ['"7"', '7'], ['a b', 'a b'], ['007', '007'], ['', '']]; // biome-ignore format: one line
  for (const [argument, value] of cases) assert.deepEqual(parseInput(argument, asIs), value);
});
