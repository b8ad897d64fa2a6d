import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { repository } from './support/directories.ts';
import { arrows, examplesUseThePackage, purity, walls } from './tidy/arrows.ts';
import { citations } from './tidy/citations.ts';
import { dependencies, loadedByPath, names, unused } from './tidy/shape.ts';
import { type Ratchet, size } from './tidy/size.ts';
import { readTree, type Tree, treeFrom } from './tidy/tree.ts';

const ratchet: Ratchet = JSON.parse(readFileSync(new URL('./tidy/ratchet.json', import.meta.url), 'utf8'));

type Rule = (tree: Tree) => string[];

describe('the house is tidy', () => {
  const tree = readTree(repository);
  const rules: Record<string, Rule> = {
    'imports between the folders of src go one way': arrows,
    'what is for one platform or one store does not reach into another': walls,
    'pure files have no clock, chance, timer, promise or platform': purity,
    'examples import the package, not its insides': examplesUseThePackage,
    'files have at most 400 lines, functions 70': (all) => size(all, ratchet),
    'every numbered rule is cited by a test, and every cited one exists': citations,
    'no file is there for nothing': unused,
    'files loaded by path lie in entry folders': loadedByPath,
    'no drawer for everything': names,
    'every runtime dependency has its reason': dependencies,
  };
  for (const [title, rule] of Object.entries(rules)) {
    test(title, () => {
      const faults = rule(tree);
      assert.ok(faults.length === 0, `\n${faults.join('\n')}\n`);
    });
  }
  test('the tree that was looked at is the repository', () => {
    const paths = tree.sources.map(({ path }) => path);
    for (const known of ['src/cli/main.ts', 'src/cli/entry/manyhands.mjs', 'test/tidy.test.ts', 'scripts/build.ts']) {
      assert.ok(paths.includes(known), known);
    }
    assert.ok(tree.texts.has('package.json') && tree.texts.has('src/store/STORE.md'));
  });
});

/** Files that break a rule, and what the rule must say about them; no complaint at all when none is given. */
interface Case {
  rule: Rule;
  files: Record<string, string>;
  says: RegExp[];
}

const manifest = (dependencies: Record<string, string>) => JSON.stringify({ dependencies });
const pure = (code: string): Case => ({
  rule: purity,
  files: { 'src/scheduler/a.ts': code },
  says: [/a pure file must not use/],
});
const clean = (code: string): Case => ({ rule: purity, files: { 'src/scheduler/a.ts': code }, says: [] });
const arrow = (from: string, specifier: string, ...says: RegExp[]): Case => ({
  rule: arrows,
  files: { [from]: `import { x } from '${specifier}';` },
  says,
});
const bundled = '# 1\n## Bundled\n\n| Library | Why |\n|---|---|\n| `preact` | pages |\n';
const lines = (count: number) => 'x;\n'.repeat(count);
const reason = '# 1\n## Runtime\n\n| Library | Why |\n|---|---|\n| `ws` | sockets |\n';

const cases: Record<string, Case> = {
  'an arrow against the direction': arrow(
    'src/model/a.ts',
    '../server/b.ts',
    /src\/model\/a\.ts:1: model must not import server/,
  ),
  'protocol and scheduler know each other': arrow(
    'src/protocol/a.ts',
    '../scheduler/b.ts',
    /protocol must not import scheduler/,
  ),
  'the store knows the wire': arrow('src/store/sqlite/a.ts', '../../protocol/b.ts', /store must not import protocol/),
  'the client imports the server': arrow('src/client/a.ts', '../server/b.ts', /client must not import server/),
  'the client imports the package root': arrow('src/client/a.ts', '../index.ts', /client must not import root/),
  'the program imports a test folder': arrow('src/server/a.ts', '../../test/b.ts', /src must not import test\/b\.ts/),
  'a folder without a place': arrow('src/attic/a.ts', './b.ts', /src\/attic is not one of the folders/),
  'an arrow with the direction': arrow('src/server/http/a.ts', '../../scheduler/b.ts'),
  'the root composes': arrow('src/index.ts', './server/b.ts'),
  'a test imports what it likes': arrow('src/model/a.test.ts', '../server/b.ts'),
  'an arrow of a type': {
    rule: arrows,
    files: { 'src/model/a.ts': "import type { X } from '../server/b.ts';" },
    says: [/:1: model/],
  },
  'an arrow of an inline type': {
    rule: arrows,
    files: { 'src/model/a.ts': "import { type X } from '../server/b.ts';" },
    says: [/:1: model/],
  },
  'an arrow of a re-export': {
    rule: arrows,
    files: { 'src/model/a.ts': "\nexport type { X } from '../server/b.ts';" },
    says: [/:2: model/],
  },
  'an arrow of an import type': {
    rule: arrows,
    files: { 'src/model/a.ts': "let x: import('../server/b.ts').X;" },
    says: [/:1: model/],
  },
  'an arrow of a dynamic import': {
    rule: arrows,
    files: { 'src/client/a.ts': "await import('../cli/b.ts');" },
    says: [/:1: client/],
  },
  'a wall between platforms': {
    rule: walls,
    files: {
      'src/worker/browser/a.ts': "import { x } from '../node/b.ts';",
      'src/worker/node/b.ts': 'export const x = 1;',
    },
    says: [/src\/worker\/browser\/ must not import src\/worker\/node\/b\.ts/],
  },
  'a pure file imports Node': pure("import os from 'node:os';"),
  'a pure session has an impure neighbour': {
    rule: purity,
    files: { 'src/worker/session.ts': "import { x } from './leases.ts';", 'src/worker/leases.ts': '\nsetTimeout(f);' },
    says: [/src\/worker\/leases\.ts:2: a pure file must not use setTimeout/],
  },
  'Date.now': pure('const t = Date.now();'),
  'Date.now in disguise': pure('const { now } = Date;'),
  'new Date()': pure('const t = new Date();'),
  'Math.random': pure('const r = Math.random();'),
  'Math.random in disguise': pure('const m = Math; m.random();'),
  'performance.now': pure('performance.now();'),
  setTimeout: pure('setTimeout(f, 1); function f() {}'),
  setInterval: pure('setInterval(() => {}, 1);'),
  crypto: pure('crypto.randomUUID();'),
  process: pure('const p: string = process.platform;'),
  'an async function': pure('export async function f() {}'),
  'an async method': pure('export class A { async f() {} }'),
  await: pure('await 1;'),
  'a promise': pure('Promise.resolve(1);'),
  'a promise in a type': pure('export interface A {\n  f(): Promise<void>;\n}'),
  'an impure session': {
    rule: purity,
    files: { 'src/client/session.ts': 'Date.now();' },
    says: [/session\.ts:1: .* Date\.now/],
  },
  'an impure fold': {
    rule: purity,
    files: { 'src/dashboard/fold.ts': 'Date.now();', 'src/dashboard/page/clock.ts': 'Date.now();' },
    says: [/dashboard\/fold\.ts:1: .* Date\.now/],
  },
  'a given date, properties and words of these names': clean(
    '// Promise<x> setTimeout(\nexport const f = (process: number, a: { crypto: number }) => [process, a.crypto, new Date(5), Date.UTC(1), Math.max(1)];',
  ),
  'a shell with a clock': { rule: purity, files: { 'src/server/a.ts': 'Date.now();' }, says: [] },
  'an example reaches in': {
    rule: examplesUseThePackage,
    files: { 'examples/a/b.ts': "import { x } from '../../src/index.ts';", 'src/index.ts': '' },
    says: [/import from 'manyhands'/],
  },
  'a file too long': { rule: size, files: { 'src/model/a.ts': lines(401) }, says: [/a file of 401 lines/] },
  'a file just short enough': { rule: size, files: { 'src/model/a.ts': lines(400) }, says: [] },
  'a function too long': {
    rule: size,
    files: { 'src/a.ts': `function f() {\n${lines(69)}}` },
    says: [/src\/a\.ts f: a function of 71 lines/],
  },
  'a method too long': {
    rule: size,
    files: { 'src/a.ts': `class A {\n  m() {\n${lines(69)}}\n}` },
    says: [/src\/a\.ts m: a function of 71/],
  },
  'a function just short enough': { rule: size, files: { 'src/a.ts': `const f = () => {\n${lines(68)}};` }, says: [] },
  'a test too long': {
    rule: size,
    files: { 'a.test.ts': `test('t', () => {\n${lines(69)}});` },
    says: [/a\.test\.ts t: a function of 71/],
  },
  'a long suite of short tests': {
    rule: size,
    files: { 'a.test.ts': `describe('s', () => {\n${lines(90)}});` },
    says: [],
  },
  'a listed file that grew': {
    rule: (tree) => size(tree, { files: { 'src/a.ts': 410 }, functions: {} }),
    files: { 'src/a.ts': lines(411) },
    says: [/grown from 410 to 411/],
  },
  'a listed file that shrank': {
    rule: (tree) => size(tree, { files: { 'src/a.ts': 420 }, functions: {} }),
    files: { 'src/a.ts': lines(411) },
    says: [/shrunk to 411/],
  },
  'a listed file that is short now': {
    rule: (tree) => size(tree, { files: { 'src/a.ts': 420 }, functions: {} }),
    files: { 'src/a.ts': lines(10) },
    says: [/take it out of the list/],
  },
  'a rule without a test': {
    rule: citations,
    files: { 'src/store/STORE.md': '- **D1 Epoch.** x' },
    says: [/STORE\.md: no test's title cites D1/],
  },
  'a rule cited by a comment only': {
    rule: citations,
    files: { 'src/store/STORE.md': '- **D1 Epoch.** x', 'a.test.ts': "// D1\ntest('x', () => {});" },
    says: [/cites D1/],
  },
  'a rule cited by a skipped test only': {
    rule: citations,
    files: { 'src/store/STORE.md': '- **D1 Epoch.** x', 'a.test.ts': "test.skip('D1', () => {});" },
    says: [/cites D1/],
  },
  'a rule that does not exist': {
    rule: citations,
    files: { 'a.test.ts': "t.test('R99: x', () => {});" },
    says: [/cites R99, which src\/scheduler/],
  },
  'a rule given twice': {
    rule: citations,
    files: { 'src/protocol/PROTOCOL.md': '**P1** a\n\n**P1** b', 'a.test.ts': 'it(`P1 x`, f);' },
    says: [/P1 is there twice/],
  },
  'a cited rule': {
    rule: citations,
    files: { 'src/protocol/PROTOCOL.md': '### P1 x', 'a.test.ts': "test('P1 x', () => {});" },
    says: [],
  },
  'a file nobody imports': {
    rule: unused,
    files: { 'src/model/a.ts': '' },
    says: [/src\/model\/a\.ts: nobody imports it/],
  },
  'a file only its test imports': {
    rule: unused,
    files: { 'src/model/a.ts': '', 'src/model/a.test.ts': "import './a.ts';" },
    says: [/only tests import it/],
  },
  'a used file': {
    rule: unused,
    files: { 'src/model/a.ts': '', 'src/index.ts': "export * from './model/a.ts';" },
    says: [],
  },
  'a file loaded by path outside entry': {
    rule: loadedByPath,
    files: { 'src/worker/a.ts': "new URL('./child.ts', import.meta.url);", 'src/worker/child.ts': '' },
    says: [/move it to an entry folder/],
  },
  'a path that leads nowhere': {
    rule: loadedByPath,
    files: { 'src/worker/a.ts': "new URL('./entry/child.ts', import.meta.url);" },
    says: [/there is no src\/worker\/entry\/child\.ts/],
  },
  'a path the build cannot see': {
    rule: loadedByPath,
    files: { 'src/worker/a.ts': "import.meta.dirname;\nimport.meta.resolve('./b.ts');" },
    says: [/a\.ts:1: import\.meta\.dirname is not rewritten/, /a\.ts:2: import\.meta\.resolve is not rewritten/],
  },
  'a package found by its name': {
    rule: loadedByPath,
    files: { 'src/worker/a.ts': "import.meta.resolve('ws');\nimport.meta.filename;" },
    says: [],
  },
  'a drawer': {
    rule: names,
    files: { 'src/model/utils/a.ts': '', 'src/model/types.ts': '' },
    says: [/'utils' says nothing/, /put a type beside/],
  },
  'a dependency without a reason': {
    rule: dependencies,
    files: { 'package.json': manifest({ ws: '1.2.3' }) },
    says: [/ws has no reason/],
  },
  'a reason without its dependency': {
    rule: dependencies,
    files: { 'package.json': manifest({}), 'docs/decisions/0001-dependencies.md': reason },
    says: [/ws is not a dependency/],
  },
  'a version that floats': {
    rule: dependencies,
    files: { 'package.json': manifest({ ws: '^1.2.3' }), 'docs/decisions/0001-dependencies.md': reason },
    says: [/exact version, not \^1\.2\.3/],
  },
  'a development library in the program': {
    rule: dependencies,
    files: { 'package.json': manifest({}), 'src/a.ts': "import fc from 'fast-check';" },
    says: [/src\/a\.ts:1: fast-check is not a runtime dependency/],
  },
  'an optional library where it is needed, and where all would need it': {
    rule: dependencies,
    files: {
      'package.json': JSON.stringify({ peerDependencies: { s3: '>=1' } }),
      'docs/decisions/0001-dependencies.md': '## Optional\n\n| `s3` | Buckets. |\n',
      'src/a.ts': "import type { S3 } from 's3';\nexport const load = () => import('s3');",
      'src/b.ts': "import { S3 } from 's3';",
    },
    says: [/src\/b\.ts:1: s3 is not a runtime dependency/],
  },
  'a bundled library in a page': {
    rule: dependencies,
    files: {
      'package.json': JSON.stringify({ devDependencies: { preact: '1.2.3' } }),
      'docs/decisions/0001-dependencies.md': bundled,
      'src/dashboard/views/a.ts': "import { h } from 'preact';",
    },
    says: [],
  },
  'a bundled library in the server, and not to be had': {
    rule: dependencies,
    files: {
      'package.json': manifest({}),
      'docs/decisions/0001-dependencies.md': bundled,
      'src/server/a.ts': "import { h } from 'preact/hooks';",
    },
    says: [/src\/server\/a\.ts:1: preact is not a runtime/, /preact is bundled, but is not a development/],
  },
};

describe('each rule of tidiness can fail', () => {
  for (const [title, { rule, files, says }] of Object.entries(cases)) {
    test(title, () => {
      const faults = rule(treeFrom(files));
      assert.equal(faults.length > 0, says.length > 0, faults.join('\n'));
      for (const pattern of says) assert.match(faults.join('\n'), pattern);
    });
  }
});
