import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { repository } from './support/directories.ts';
import { blocksOf } from './support/documents.ts';
import { ARROWS } from './tidy/arrows.ts';

const read = (file: string) => readFileSync(path.join(repository, file), 'utf8');

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
