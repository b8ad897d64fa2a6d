import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ValueStatus } from '../../model/envelope.ts';
import { runsOf } from '../../model/runs.ts';
import { packColumn, readColumn } from '../../protocol/column.ts';
import { encodeColumn } from '../../protocol/values/column.ts';
import { ColumnWriter } from '../../protocol/values/column-writer.ts';
import type { Batch, Piece } from './batch.ts';
import { piecesOf } from './batch.ts';
import { InOrder } from './in-order.ts';
import { toPlainLines, toRecords } from './records.ts';
import { formatCount, sheet, table } from './table.ts';
import type { Failed } from './values.ts';

function batchOf(
  indexes: readonly number[],
  written: ReturnType<typeof encodeColumn>,
  attempts?: [number, number][],
): Batch {
  const column = readColumn(packColumn(written.lengths, written.status, written.bytes));
  return { runs: runsOf(indexes), column, attempts };
}

async function print(batch: Batch, to: typeof toRecords, blobs: Record<string, string> = {}) {
  const failed: Failed[] = [];
  const options = {
    readBlob: async ({ sha256 }: { sha256: string }) => Buffer.from(blobs[sha256] as string),
    onFailed: (one: Failed) => failed.push(one),
  };
  const text = (await Promise.all(piecesOf(batch).map((piece) => to(piece, options)))).join('');
  return { text, failed };
}

const from = (first: number, values: readonly unknown[]) => values.map((_, i) => first + i);
const mixed = [1, 'plain', 'quoted "x" \n line', undefined, { a: [true] }, '', 'ünï', null, -0.5, '漢', 7, 8];

describe('values as lines', () => {
  it('are JSON, texts as themselves, undefined as nothing', async () => {
    const { text } = await print(batchOf(from(0, mixed), encodeColumn(mixed)), toPlainLines);
    const lines = ['1', 'plain', 'quoted "x" \n line', '', '{"a":[true]}', '', 'ünï', 'null', '-0.5', '漢', '7', '8'];
    assert.equal(text, `${lines.join('\n')}\n`);
  });

  it('are cut out of a column at any run', async () => {
    const indexes = [3, 4, 5, 9, 20, 21, 22, 23, 24, 25, 30, 31];
    const whole = (await print(batchOf(from(0, mixed), encodeColumn(mixed)), toPlainLines)).text;
    assert.equal((await print(batchOf(indexes, encodeColumn(mixed)), toPlainLines)).text, whole);
  });

  it('that others wrote over several lines become one', async () => {
    const json = Buffer.from('1,{\n "a": "é",\r\n "b": 2 },3,');
    const column = { lengths: Uint32Array.of(2, json.length - 4, 2), status: undefined, bytes: json };
    assert.equal((await print(batchOf([0, 1, 2], column), toPlainLines)).text, '1\n{"a":"é","b":2}\n3\n');
    assert.match((await print(batchOf([0, 1, 2], column), toRecords)).text, /"value":\{"a":"é","b":2\}\}\n/);
  });

  it('may be bytes, or lie in a blob, and failed ones are told elsewhere', async () => {
    const writer = new ColumnWriter();
    writer.append(Uint8Array.of(1, 2, 255));
    writer.appendRecord(ValueStatus.jsonBlob, { sha256: 'aa', size: 9 });
    writer.appendRecord(ValueStatus.failed, { kind: 'error', name: 'TypeError', message: 'né', stack: 'x' });
    writer.append('end');
    const batch = batchOf([4, 5, 6, 7], writer.finish(), [[6, 3]]);
    const plain = await print(batch, toPlainLines, { aa: '"a long ü"' });
    assert.equal(plain.text, '{"$mh":[["Uint8Array",1],["ArrayBuffer","AQL/"]]}\na long ü\nend\n');
    assert.deepEqual(
      plain.failed.map(({ index, attempts, failure }) => [index, attempts, failure.message]),
      [[6, 3, 'né']],
    );
    const records = (await print(batch, toRecords, { aa: '"a long ü"' })).text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(records.slice(1), [
      { index: 5, status: 'done', value: 'a long ü' },
      { index: 6, status: 'failed', error: { name: 'TypeError', message: 'né', stack: 'x' }, attempts: 3 },
      { index: 7, status: 'done', value: 'end' },
    ]);
  });
});

describe('records', () => {
  it('are one JSON object a line, exactly as documented', async () => {
    const { text } = await print(batchOf([0, 1, 5], encodeColumn([49, 'ü', undefined]), [[1, 2]]), toRecords);
    assert.equal(
      text,
      '{"index":0,"status":"done","value":49}\n{"index":1,"status":"done","value":"ü","attempts":2}\n{"index":5,"status":"done"}\n',
    );
  });
});

describe('results in order', () => {
  const batch = (...indexes: number[]) => batchOf(indexes, encodeColumn(indexes));
  const told = (pieces: Piece[]) =>
    pieces.flatMap((piece) => Array.from({ length: piece.count }, (_, i) => piece.index + i));

  it('go on as soon as nothing before them is missing', () => {
    const order = new InOrder();
    assert.deepEqual(told(order.add(batch(2, 3))), []);
    assert.deepEqual(told(order.add(batch(0, 5))), [0]);
    assert.deepEqual(told(order.add(batch(1, 4))), [1, 2, 3, 4, 5]);
    assert.deepEqual(told(order.end()), []);
  });

  it('do not wait for what was cancelled or left out, once all else of the block has come', () => {
    const order = new InOrder();
    assert.deepEqual(told(order.add(batch(7, 3, 12))), []);
    assert.deepEqual(told(order.mark(10)), [3, 7]);
    assert.deepEqual(told(order.add(batch(10))), [10]);
    assert.deepEqual(told(order.add(batch(11))), [11, 12]);
    assert.deepEqual(told(order.add(batch(20, 22))), []);
    assert.deepEqual(told(order.end()), [20, 22]);
  });

  it('may begin anywhere', () => {
    const order = new InOrder(100);
    assert.deepEqual(told(order.add(batch(100, 101))), [100, 101]);
  });
});

it('a table is as wide as its cells, and shows what a terminal would obey (T-16)', () => {
  const text = table(
    [{ title: 'JOB', align: 'right' }, { title: 'NAME' }],
    [
      ['7', 'a\x1b[2Jb'],
      ['120', 'c'],
    ],
  );
  assert.equal(text, 'JOB  NAME\n  7  a\\x1b[2Jb\n120  c\n');
  assert.equal(sheet([['state', 'done'], ['why', undefined], ['it', 'a\nb']]), 'state  done\nit     a\\nb\n'); // biome-ignore format: one line
  assert.equal(formatCount(1_234_567), '1,234,567');
});

it('a million numbers are printed in a fraction of the time that they take to compute', async () => {
  const batch = batchOf(from(0, Array(4096).fill(0)), encodeColumn(Array.from({ length: 4096 }, (_, i) => i * 1e6)));
  const options = { readBlob: async () => new Uint8Array(), onFailed: () => {} };
  for (const [to, least] of [
    [toPlainLines, 1_000_000],
    [toRecords, 500_000],
  ] as const) {
    const started = performance.now();
    let count = 0;
    for (let i = 0; i < 100; i++) {
      for (const piece of piecesOf(batch)) await to(piece, options);
      count += 4096;
    }
    const rate = (count / (performance.now() - started)) * 1000;
    assert.ok(rate > least, `${to.name}: ${Math.round(rate)} values a second`);
  }
});
