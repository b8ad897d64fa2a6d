import assert from 'node:assert/strict';
import { test } from 'node:test';
import { moduleFromFunction } from './inline.ts';
import { needsNode } from './node-parts.ts';

const node = [
  "import { readFileSync } from 'node:fs'; export default () => readFileSync('x');",
  "import 'fs'; export default () => 1;",
  "export { sep as default } from 'node:path';",
  "export * from 'path'; export default 1;",
  "export default async () => (await import('node:os')).EOL;",
  'export default () => Buffer.from("x").length;',
  'export default () => process.pid;',
  'export default (x) => setImmediate(x);',
];
const everywhere = [
  'export default (x) => x * x;',
  'export default (x) => typeof process === "undefined" ? x : process.pid;',
  'export default (x) => { const process = { pid: x }; return process.pid; };',
  'export default async () => (await import("./x.js")).default;',
  'export default () => "import fs from \'node:fs\'; Buffer";',
  'export const Buffer = 1; export default () => Buffer;',
];

for (const code of node) test(`needs Node: ${code}`, () => assert.equal(needsNode(code), true));
for (const code of everywhere) test(`runs everywhere: ${code}`, () => assert.equal(needsNode(code), false));

test('an inline function says itself what it needs', () => {
  assert.equal(moduleFromFunction((x: number) => x * 2).runner, 'js');
  assert.equal(moduleFromFunction((x: number) => process.pid + x).runner, 'node');
});
