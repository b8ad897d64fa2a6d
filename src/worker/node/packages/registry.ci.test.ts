import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { CommandLine } from '../../../../test/support/command-line.ts';
import { manyhands, start } from '../../../../test/support/processes.ts';
import { waitFor } from '../../../../test/support/wait.ts';

const suite = { after };
const line = new CommandLine(suite);
line.write(
  'hash.ts',
  "import { xxh64 } from '@node-rs/xxhash';\nexport default (text: string) => xxh64(text).toString(16);\n",
);
line.write(
  'square.mjs',
  "import sharp from 'sharp';\n" +
    "export default async (size) => (await sharp({ create: { width: size, height: size, channels: 3, background: 'red' } }).png().toBuffer()).subarray(1, 4).toString();\n",
);

test('packages with native parts run by the command alone', { timeout: 120_000 }, async () => {
  const hashes = await line.run(['run', 'hash.ts', '--install', '@node-rs/xxhash@1.7.6', '', 'a']);
  assert.deepEqual([hashes.code, hashes.stdout], [0, 'ef46db3751d8e999\nd24ec4f1a98c6e5b\n'], hashes.stderr);
  const images = await line.run(['run', 'square.mjs', '--install', 'sharp@0.33.5', '8']);
  assert.equal(images.stdout, 'PNG\n', images.stderr);
});

test('and on a farm by workers that allow it, of which one is enough', { timeout: 120_000 }, async (t) => {
  const served = await line.serve('--workers', '1');
  const job = await line.run(['run', 'hash.ts', '--install', '@node-rs/xxhash@1.7.6', '--detach', '']);
  assert.equal(job.code, 0, job.stderr);
  const explained = async () => (await line.run(['explain', job.stdout.trim(), '0'])).stdout;
  assert.match(await explained(), /join one with --allow install/);
  start(t, [...manyhands, 'join', served.joinUrl, '--allow', 'install', '--slots', '1']);
  const results = async () => (await line.run(['results', job.stdout.trim()])).stdout === 'ef46db3751d8e999\n';
  await waitFor(results, { what: 'the result', timeout: 60_000, interval: 500 });
});
