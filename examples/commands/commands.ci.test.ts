import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { CommandLine } from '../../test/support/command-line.ts';
import { repository } from '../../test/support/directories.ts';
import { typeDocument } from '../../test/support/documents.ts';
import { startManyhands } from '../../test/support/processes.ts';

const missing = ['convert', 'identify', 'povray'].filter((tool) => spawnSync('which', [tool]).status !== 0);
// Where everything is tested, a missing tool is an error and no reason to skip.
const skip = process.env['CI'] === undefined && missing.length > 0 && `not installed: ${missing.join(', ')}`;

test('its README prints what it says it prints', { timeout: 170_000, skip }, async (t) => {
  assert.equal(await typeDocument(t, 'examples/commands/README.md'), 7);
});

test('photos travel to a worker that has none, and the thumbnails come back', { timeout: 120_000, skip }, async (t) => {
  const shell = new CommandLine(t);
  const photos = path.join(shell.directory, 'photos');
  mkdirSync(photos);
  for (const photo of globSync(path.join(repository, 'node_modules/exif-js/example/*.jpg')))
    cpSync(photo, path.join(photos, path.basename(photo)));
  const names = globSync('photos/*.jpg', { cwd: shell.directory }).sort();
  assert.equal(names.length, 4);
  const thumbnail = (name: string) => path.join(shell.directory, name.replace(/jpg$/, 'small.jpg'));
  for (const name of names)
    spawnSync('convert', [name, '-auto-orient', '-thumbnail', '160x160', `${name}.here`], { cwd: shell.directory });
  const served = await shell.serve();
  const worker = startManyhands(t, ['join', served.joinUrl, '--slots', '2', '--allow', 'exec']);
  await worker.output(/joined/, { timeout: 60_000 });
  const command = ['convert', '{}', '-auto-orient', '-thumbnail', '160x160', '{.}.small.jpg', ':::', ...names];
  const { code, stderr } = await shell.run([
    ...['exec', '--quiet', '--send', '{}', '--collect', '{.}.small.jpg', '--'],
    ...command,
  ]);
  assert.equal(code, 0, stderr);
  for (const name of names) {
    const [made, here] = [thumbnail(name), path.join(shell.directory, `${name}.here`)].map((file) =>
      readFileSync(file),
    );
    assert.deepEqual([made?.[0], made?.[1]], [0xff, 0xd8], `${name} became a JPEG`);
    assert.ok(made?.equals(here as Buffer), `${name} is what the same command makes here`);
  }
});
