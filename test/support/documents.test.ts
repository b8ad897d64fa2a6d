import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocksOf, patternOf, typedIn } from './documents.ts';

const DOCUMENT = `# Title

\`\`\`console
$ first
one
two …
$ cat <<END
> three
> END
three
\`\`\`
text
\`\`\`ts some/task.ts
export default 1;
\`\`\`

\`\`\`console elsewhere
$ never
\`\`\`
`;

test('a document is read as blocks, and a console block as commands with what they print', () => {
  const [shell, file, elsewhere] = blocksOf(DOCUMENT);
  assert.deepEqual(typedIn(shell!), [
    { command: 'first', output: ['one', 'two …'], line: 4 },
    { command: 'cat <<END\nthree\nEND', output: ['three'], line: 7 },
  ]);
  assert.deepEqual([file?.language, file?.word, file?.lines], ['ts', 'some/task.ts', ['export default 1;']]);
  assert.deepEqual([elsewhere?.word, elsewhere?.line], ['elsewhere', 18]);
});

test('a block that is never closed, or has no command, is an error', () => {
  assert.throws(() => blocksOf('```console\n$ a'), /line 1 is never closed/);
  assert.throws(() => typedIn(blocksOf('```console\nls\n```')[0]!), /line 2: .* without a command/);
});

test('output is compared line by line; an ellipsis stands for anything in a line, alone for any lines', () => {
  const pattern = patternOf(['a+b', 'took … s', '…', 'end']);
  for (const fits of ['a+b\ntook 3 s\nend\n', 'a+b\ntook  s\nx\ny\nend\n']) assert.match(fits, pattern);
  for (const differs of [
    'aab\ntook 3 s\nend\n',
    'a+b\ntook 3\nend\n',
    'a+b\ntook 3 s\nend',
    'a+b\ntook 3 s\nend\nmore\n',
  ]) {
    assert.doesNotMatch(differs, pattern);
  }
  assert.match('', patternOf([]));
  assert.doesNotMatch('said\n', patternOf([]));
});
