import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { bundleModule } from './bundle.ts';
import { TaskCodeError } from './task-code-error.ts';
import { codeHash } from './task-module.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A project of real files in a directory of its own. */
function project(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'manyhands-code-'));
  folders.push(folder);
  for (const [name, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** Runs a bundle as a worker would: from a file, in a process of its own, with source maps. */
async function runInChild(code: string, input: unknown): Promise<string> {
  const folder = project({ 'task.mjs': code });
  const main = `process.setSourceMapsEnabled(true);
    const { default: task } = await import(${JSON.stringify(pathToFileURL(join(folder, 'task.mjs')).href)});
    console.log(JSON.stringify(await task(${JSON.stringify(input)})));`;
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', main], { timeout: 20_000 });
  const { stdout, stderr } = await run.catch((error: { stdout: string; stderr: string }) => error);
  return (stdout + stderr).replaceAll(`${folder}/`, '');
}

function refused(folder: string, name: string, message: RegExp): Promise<void> {
  return assert.rejects(bundleModule(name, folder), (error) => {
    assert.ok(error instanceof TaskCodeError, String(error));
    assert.match(error.message, message);
    assert.ok(!error.message.includes('\n'), 'one sentence, one line');
    return true;
  });
}

const typed = [
  "import { readFileSync } from 'fs';",
  "import table from './table.json' with { type: 'json' };",
  "import old from 'old';",
  "import { root } from './inner/root.ts';",
  'interface Input {',
  '  n: number;',
  '}',
  'export default async (input: Input): Promise<unknown> => {',
  '  return [table.k, typeof readFileSync, old(), root(input.n)];',
  '};',
].join('\n');
const root = [
  'type N = number;',
  '',
  'export function root(n: N): N {',
  "  if (n < 0) throw new RangeError('no root of ' + n);",
  '  return Math.sqrt(n);',
  '}',
].join('\n');
const whole = {
  'tasks/sqrt.ts': typed,
  'tasks/table.json': '{"k":5}',
  'tasks/inner/root.ts': root,
  'node_modules/old/package.json': '{"name":"old","main":"old.js"}',
  'node_modules/old/old.js':
    "const Emitter = require('events');\nconst { join } = require('node:path');\nmodule.exports = () => [typeof new Emitter().on, join('a', 'b')];\n",
};

it('a TypeScript module runs with its JSON, its packages and the built-in modules that they require', async () => {
  const { code, sourceName } = await bundleModule('tasks/sqrt.ts', project(whole));
  assert.equal(sourceName, 'tasks/sqrt.ts');
  assert.equal(await runInChild(code, { n: 16 }), '[5,"function",["function","a/b"],4]\n');
});

it("an error in a bundled TypeScript task shows the user's own files and lines", async () => {
  const { code } = await bundleModule('tasks/sqrt.ts', project(whole));
  const output = await runInChild(code, { n: -1 });
  assert.match(output, /RangeError: no root of -1/);
  assert.match(output, /at root \(tasks\/inner\/root\.ts:4:20\)/);
  assert.match(output, /tasks\/sqrt\.ts:9:48\)/);
});

it("a module that throws on import compiles, and its error shows the user's own line", async () => {
  const source =
    "const limit: number = 3;\n\nif (limit > 2) throw new Error('not today');\nexport default () => limit;\n";
  const { code } = await bundleModule('task.ts', project({ 'task.ts': source }));
  assert.match(await runInChild(code, 1), /Error: not today\n\s+at (<anonymous> \()?task\.ts:3:22/);
});

it('the same sources give the same bytes, wherever they lie', async () => {
  const [one, two] = [project(whole), project(whole)];
  const first = await bundleModule('tasks/sqrt.ts', one);
  const second = await bundleModule(pathToFileURL(join(two, 'tasks/sqrt.ts')), two);
  assert.equal(codeHash(first.code), codeHash(second.code));
  const elsewhere = await bundleModule(join(one, 'tasks/sqrt.ts'), join(tmpdir(), 'nowhere'));
  assert.equal(codeHash(elsewhere.code), codeHash(first.code));
  assert.match(codeHash(first.code), /^[0-9a-f]{64}$/);
  const map = Buffer.from(first.code.split('base64,').at(-1) ?? '', 'base64').toString();
  for (const text of [first.code, map]) assert.ok(!text.includes(one) && !text.includes(tmpdir()), text);
});

it('a default export in any form is one', async () => {
  const folder = project({
    'a.js': 'export { run as default }; const run = () => 1;',
    'b.cjs': 'module.exports = (x) => x + 1;',
    'c.ts': "export { default } from './a.js';",
    'd.mts': 'const late = await Promise.resolve(2); export default function () { return late; }',
  });
  for (const [name, result] of Object.entries({ 'a.js': 1, 'b.cjs': 2, 'c.ts': 1, 'd.mts': 2 })) {
    const { code } = await bundleModule(name, folder);
    assert.equal(await runInChild(code, 1), `${result}\n`, name);
  }
});

it('a package with the name of a built-in module is the package, if it is there', async () => {
  const folder = project({
    'task.js': "import { mine } from 'events'; export default () => mine;",
    'node_modules/events/package.json': '{"name":"events","module":"index.mjs"}',
    'node_modules/events/index.mjs': "export const mine = 'yes';",
  });
  assert.equal(await runInChild((await bundleModule('task.js', folder)).code, 1), '"yes"\n');
});

it('a module without a default export is refused, and told what to add', async () => {
  const folder = project({
    'one.ts': 'export const square = (x: number) => x * x;',
    'none.js': 'console.log(1);',
    'empty.ts': '',
    'two.ts': 'export const a = 1; export const b = 2;',
  });
  await refused(
    folder,
    'one.ts',
    /^the task module one\.ts has no default export.*exports square; add: export default square$/,
  );
  await refused(folder, 'two.ts', /exports a, b; add: export default the task function$/);
  await refused(folder, 'none.js', /none\.js has no default export.*; add: export default async \(input\) =>/);
  await refused(folder, 'empty.ts', /empty\.ts has no default export/);
});

it('a module that does not compile is refused with file, line and column', async () => {
  const folder = project({
    'task.ts': "import './lib/broken.ts';\nexport default () => 1;",
    'lib/broken.ts': 'const a = 1;\nconst b = ;\n',
    'data.js': "import './bad.json'; export default () => 1;",
    'bad.json': '{"a":',
  });
  await refused(folder, 'task.ts', /^the task module task\.ts does not compile: lib\/broken\.ts:2:11: Unexpected ";"$/);
  await refused(folder, 'data.js', /data\.js does not compile: bad\.json:1:6: /);
});

it('an import that is not there is refused with its place and what to do', async () => {
  const folder = project({
    'package.js': "export default () => 1;\nimport x from '@some/thing/deep';\nx();",
    'file.js': "import './gone.ts'; export default () => 1;",
  });
  await refused(
    folder,
    'package.js',
    /^the task module package\.js imports what can't be found: package\.js:2:15: "@some\/thing\/deep"; is it installed\? \(npm install @some\/thing; if it has native parts: --install @some\/thing\)$/,
  );
  await refused(folder, 'file.js', /file\.js:1:8: "\.\/gone\.ts"; correct its path$/);
});

it('what is not a file here is refused', async () => {
  const folder = project({ 'tasks/a.ts': '' });
  await refused(folder, 'tasks/b.ts', /^the task module tasks\/b\.ts does not exist \(looked in /);
  await refused(folder, 'tasks', /^the task module tasks is a directory; name the file in it$/);
  await assert.rejects(
    bundleModule(new URL('http://localhost/a.js'), folder),
    /TaskCodeError: a task module must be a file/,
  );
});
