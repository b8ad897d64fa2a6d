import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { bundleModule } from '../../client/code/bundle.ts';
import { SourceMap } from './source-map.ts';

test('a place in a bundle is told as that in the file of its author', async (t) => {
  const directory = temporaryDirectory(t, 'map');
  const helper = ['type N = number;', '', 'export function root(n: N): N {', "  throw new RangeError('no ' + n);", '}'];
  const task = [
    'interface I { n: number }',
    "import { root } from './root.ts';",
    'export default (i: I) => {',
    '  return root(i.n);',
    '};',
  ];
  writeFileSync(path.join(directory, 'root.ts'), helper.join('\n'));
  writeFileSync(path.join(directory, 'task.ts'), task.join('\n'));
  const { code } = await bundleModule('task.ts', directory);
  const map = SourceMap.of(code);
  const find = (text: string): [line: number, column: number] => {
    const line = code.split('\n').findIndex((each) => each.includes(text));
    return [line + 1, (code.split('\n')[line] as string).indexOf(text) + 1];
  };
  assert.equal(map?.placeOf(...find('new RangeError')), 'root.ts:4:9');
  assert.equal(map?.placeOf(...find('root(i.n)')), 'task.ts:4:10');
  assert.equal(map?.placeOf(9_999, 1), undefined);
});

test('a module without a map, or with a damaged one, has none', () => {
  assert.equal(SourceMap.of('export default 1;\n'), undefined);
  assert.equal(SourceMap.of('1;\n//# sourceMappingURL=data:application/json;base64,bm8='), undefined);
});
