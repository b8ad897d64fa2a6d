import assert from 'node:assert/strict';
import { it } from 'node:test';
import { directoryOf } from './result-files.ts';

it('the directory of what a command printed is named by its arguments, and lies where it should', () => {
  const at = (args: string[], columns: number, names?: string[]) => directoryOf(args, columns, names).join('/');
  assert.equal(at(['a', 'b', 'c', 'd'], 2), '1/a/2/b/1/c/2/d');
  assert.equal(at(['a', 'b', 'c'], 3, ['z', '11', '2x']), 'z/a/2x/c/11/b');
  assert.equal(at(['../x', '..', '.', ''], 4), '1/..\\_x/2/\\../3/\\./4/');
  const [one, two] = [`${'é'.repeat(200)}a`, `${'é'.repeat(200)}b`].map(
    (value) => directoryOf([value], 1)[1] as string,
  );
  assert.notEqual(one, two);
  assert.match(one as string, /^é{119}-[0-9a-f]{16}$/);
});
