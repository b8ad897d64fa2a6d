import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { repository, temporaryDirectory } from '../../test/support/directories.ts';
import { run } from '../../test/support/processes.ts';

/** A program of docs/sdk.md, with the modules before it, and what it prints. */
interface Example {
  readonly heading: string;
  readonly files: ReadonlyMap<string, string>;
  readonly prints: string;
}

const page = readFileSync(path.join(repository, 'docs/sdk.md'), 'utf8');

/** A block of TypeScript with a name is a module of the next without one, which is a program; what it prints follows. */
function examplesOf(text: string): Example[] {
  const found: Example[] = [];
  let heading = '';
  let files = new Map<string, string>();
  for (const [, title, kind, name, block = ''] of text.matchAll(/^## (.+)$|^```(\w+) ?(\S*)\n([\s\S]*?)^```$/gm)) {
    if (title !== undefined) heading = title;
    else if (kind === 'ts') files.set(name === '' ? 'main.ts' : (name as string), block);
    else if (kind === 'text') {
      found.push({ heading, files, prints: block });
      files = new Map();
    }
  }
  return found;
}

describe('docs/sdk.md', { concurrency: 2 }, () => {
  const examples = examplesOf(page);

  test('has an example of everything', () => {
    assert.ok(examples.length >= 9);
    for (const word of [
      'map',
      'run',
      'results',
      'reduce',
      'settled',
      'cursor',
      'signal',
      'idempotencyKey',
      'progress',
    ]) {
      assert.ok(
        examples.some(({ files }) => files.get('main.ts')?.includes(word)),
        word,
      );
    }
    assert.equal(
      examples.reduce((sum, { files }) => sum + files.size, 0),
      page.match(/^```ts/gm)?.length,
    );
  });

  for (const [i, { heading, files, prints }] of examples.entries()) {
    test(`example ${i + 1}, ${heading}`, async (t) => {
      const folder = temporaryDirectory(t, 'example');
      mkdirSync(path.join(folder, 'node_modules'));
      symlinkSync(repository, path.join(folder, 'node_modules/manyhands'), 'junction');
      writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
      for (const [name, text] of files) writeFileSync(path.join(folder, name), text);
      const env = { XDG_STATE_HOME: folder, MANYHANDS_URL: undefined, NO_COLOR: '1' };
      const exit = await run(t, [process.execPath, 'main.ts'], { cwd: folder, env, timeout: 90_000 });
      assert.deepEqual([exit.stdout, exit.stderr, exit.code], [prints, '', 0]);
    });
  }
});
