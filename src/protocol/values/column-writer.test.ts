import assert from 'node:assert/strict';
import { it } from 'node:test';
import { decodeColumn } from './column.ts';
import { ColumnWriter } from './column-writer.ts';

it('a column grows right wherever the room for its text ends', () => {
  for (const value of ['aaaaaaa漢', 'é漢😀', 'ࠀࠀ', 'ascii']) {
    for (let bytes = 1; bytes < 40; bytes += 1) {
      const writer = new ColumnWriter({ bytes, values: 1 });
      writer.append(value);
      writer.append([value]);
      const column = writer.finish();
      assert.deepEqual(decodeColumn(column.lengths, column.status, column.bytes), [value, [value]]);
      assert.equal(column.lengths[0], Buffer.byteLength(JSON.stringify(value)) + 1);
    }
  }
});

it('a column that grows by values of text has a status for each', () => {
  const writer = new ColumnWriter({ values: 1 });
  const values: unknown[] = [Uint8Array.of(1, 2)];
  for (let index = 0; index < 300; index += 1) values.push(`v${index}`);
  for (const value of values) writer.append(value);
  const { lengths, status, bytes } = writer.finish();
  assert.deepEqual([status?.length, status?.[0], status?.[300]], [301, 1, 0]);
  assert.deepEqual(decodeColumn(lengths, status, bytes), values);
});
