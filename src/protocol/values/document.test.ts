import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import vm from 'node:vm';
import { decodeValue, encodeValue, fromJsonText, toJsonText } from './value.ts';

const page = readFileSync(new URL('../VALUES.md', import.meta.url), 'utf8');
const examples = page.split('\n').filter((line) => line.includes('  =>  '));

it('every example of VALUES.md is what is written, and reads back as it was', () => {
  assert.ok(examples.length > 20, `found only ${examples.length} examples`);
  for (const example of examples) {
    const [source, text] = example.split(/\s+=>\s+/) as [string, string];
    const value: unknown = vm.runInThisContext(source);
    const { bytes, encoding } = encodeValue(value);
    assert.equal(toJsonText(bytes, encoding), text, source);
    const row = fromJsonText(text);
    assert.deepStrictEqual(decodeValue(row.bytes, row.encoding), value, source);
  }
});

it('the few that docs/sdk.md shows are written as it says', () => {
  const guide = readFileSync(new URL('../../../docs/sdk.md', import.meta.url), 'utf8');
  const rows = guide.split('\n').filter((line) => /^\| `.*\$mh/.test(line));
  const pairs = rows.flatMap((row) => {
    const [sources, texts] = row.split(' | ').map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code));
    return (sources ?? []).map((source, i) => [source, texts?.[i]] as [string, string]);
  });
  assert.ok(pairs.length >= 8, `found only ${pairs.length}`);
  for (const [source, text] of pairs) {
    const { bytes, encoding } = encodeValue(vm.runInThisContext(source));
    assert.equal(toJsonText(bytes, encoding), text, source);
  }
});

it('the error of VALUES.md reads as an error', () => {
  const text = page.split('\n').find((line) => line.startsWith('{"$mh":[["Error"')) ?? '';
  const error = decodeValue(fromJsonText(text).bytes, 0) as Error;
  assert.ok(error instanceof TypeError);
  assert.match(`${error.message} ${error.stack}`, /^no TypeError: no\n {4}at …$/);
});
