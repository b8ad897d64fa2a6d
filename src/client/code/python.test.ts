import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { moduleFiles } from '../../../test/support/client-farm.ts';
import { codeOfFile } from './task-file.ts';

const task = 'def task(input): return input\n';
const block = (...lines: string[]): string => ['# /// script', ...lines, '# ///', task].join('\n');

const kinds: readonly [what: string, code: string, runner: string][] = [
  ['a file without a list', task, 'python'],
  ['a list in one line', block('# dependencies = ["numpy>=2", "pillow"]'), 'venv'],
  [
    'a list in several lines, and more',
    block('# requires-python = ">=3.8"', '#', '# dependencies = [', "#   'a',", '# ]'),
    'venv',
  ],
  ['a file of Windows', block('# dependencies = ["a"]').replaceAll('\n', '\r\n'), 'venv'],
  ['an empty list', block('# dependencies = []'), 'python'],
  ['no list among what is told', block('# requires-python = ">=3.8"'), 'python'],
  ['a block that has no end', `# /// script\n# dependencies = ["a"]\n${task}`, 'python'],
  ['a list outside of the block', `# dependencies = ["a"]\n${block('#')}`, 'python'],
];

for (const [what, code, runner] of kinds) {
  test(`${what}: its runner is ${runner}`, async () => {
    const file = moduleFiles({ after }, { 'task.py': code })('task.py');
    assert.equal((await codeOfFile(file)).runner, runner);
  });
}

test('what is no task of Python is told before anything is sent', async () => {
  const file = moduleFiles({ after }, { 'none.py': 'x = 1\n' })('none.py');
  await assert.rejects(
    codeOfFile(file),
    /none\.py has no function task, which is called for each input; add: def task/,
  );
});
