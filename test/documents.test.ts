import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { repository } from './support/directories.ts';
import { blocksOf, typeDocument } from './support/documents.ts';
import { ARROWS } from './tidy/arrows.ts';

const read = (file: string) => readFileSync(path.join(repository, file), 'utf8');

/** Documents use the port that users get; where somebody has it, they can't be typed. */
async function skipIfTaken(t: TestContext, port: number): Promise<boolean> {
  const server = net.createServer().listen(port, '127.0.0.1');
  const isFree = await new Promise<boolean>((resolve) => {
    server.once('listening', () => resolve(true));
    server.once('error', () => resolve(false));
  });
  if (isFree) await new Promise((resolve) => server.close(resolve));
  else t.skip(`port ${port} is in use here`);
  return !isFree;
}

test('README.md prints what it says it prints, typed from its first command to its last', async (t) => {
  if (await skipIfTaken(t, 7070)) return;
  assert.ok((await typeDocument(t, 'README.md')) >= 12);
});

test('docs/operating.md prints what it says it prints', { timeout: 170_000 }, async (t) => {
  if ((await skipIfTaken(t, 7070)) || (await skipIfTaken(t, 7072))) return;
  assert.ok((await typeDocument(t, 'docs/operating.md')) >= 12);
});

test('what documents name is there', () => {
  const documents = [
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    ...globSync('{docs,examples}/**/*.md', { cwd: repository }),
  ];
  const missing = documents.flatMap((file) => {
    const text = blocksOf(read(file)).reduce((rest, { lines }) => rest.replace(lines.join('\n'), ''), read(file));
    const named = text.match(/`(?:src|test|docs|examples|bench|scripts|\.ci)\/[\w./-]+`/g) ?? [];
    const linked = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) =>
      path.join(path.dirname(file), target ?? ''),
    );
    const all = [...named.map((name) => name.slice(1, -1)), ...linked];
    // What the demo writes is not there before.
    return all
      .filter((target) => !target.includes('/out/'))
      .filter((target) => !existsSync(path.join(repository, target)))
      .map((target) => `${file}: ${target}`);
  });
  assert.deepEqual(missing, []);
});

test('ARCHITECTURE.md lists the rooms, and their arrows as they are checked', () => {
  const rows = [...read('ARCHITECTURE.md').matchAll(/^\| `?(\w+)`? \| .* \| ?([\w, ]*) ?\|$/gm)];
  const told = Object.fromEntries(
    rows.map(([, room, imports]) => [
      room,
      (imports as string)
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean),
    ]),
  );
  assert.deepEqual(told, ARROWS);
});

test('ARCHITECTURE.md is one page', () => {
  assert.ok(read('ARCHITECTURE.md').split('\n').length <= 90);
});
