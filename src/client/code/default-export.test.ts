import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { bundleModule } from './bundle.ts';

const directory = temporaryDirectory({ after }, 'exports');
mkdirSync(path.join(directory, 'old'));
writeFileSync(path.join(directory, 'old/package.json'), '{"type":"commonjs"}');

/** What is said of a module; undefined: it may be a task. */
async function said(text: string, name = 'task.js'): Promise<string | undefined> {
  writeFileSync(path.join(directory, name), text);
  return bundleModule(name, directory).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

const none: [string, string][] = [
  ['42', '42'],
  ['-1.5', '-1.5'],
  ["'a word'", 'a string'],
  ['null', 'null'],
  ['true', 'true'],
  ['{}', 'an object'],
  ['{ a: { b: 1 }, run() {} }', 'an object'],
  ['[1, 2]', 'an array'],
  ['`1\n};\n`', 'a string'],
];
for (const [value, is] of none) {
  test(`export default ${value} is told before anything is sent`, async () => {
    const says = `the default export of the task module task.js is ${is}, not a function`;
    assert.equal(await said(`export default ${value};\n`), says);
  });
}

test('whatever might be a function is left to the worker', async () => {
  const maybe = [
    'export default (x) => x;',
    'export default function (x) { return x; }',
    'export default { f: (x) => x }.f;',
    'export default { a: 1,\n f: (x) => x }["f"];',
    'export default { a: 1 }.f || { b: 2 };',
    'export default [(x) => x][0];',
    'let f = 5; f = (x) => x; export { f as default };',
    'var f = 5; export { f as default }; f = (x) => x;',
    'const $ = (x) => x; export default $;',
    'export default 5..constructor;',
    'export default "a".at.bind("abc");',
  ];
  for (const text of maybe) assert.equal(await said(text), undefined, text);
});

test('a file that is taken for CommonJS and exports nothing is told; one that exports is left to the worker', async () => {
  for (const text of ['', 'console.log("hi");', 'function task(x) { return x; }']) {
    assert.match((await said(text, 'old/task.js')) ?? '', /has no default export.*; add: export default async/, text);
  }
  for (const text of ['module.exports = (x) => x;', 'exports.default = (x) => x;', 'this.default = (x) => x;']) {
    assert.equal(await said(text, 'old/task.js'), undefined, text);
  }
});
