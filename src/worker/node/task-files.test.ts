import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { clientFarm, moduleFiles } from '../../../test/support/client-farm.ts';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { waitFor } from '../../../test/support/wait.ts';
import type { BlobRef } from '../../model/envelope.ts';

const MiB = 1024 * 1024;

test('a task reads a blob as a file, writes another, and the program gets that as a file', async (t) => {
  const { farm } = await clientFarm(t);
  const bytes = randomBytes(3 * MiB);
  const module = moduleFiles(t, {
    'reverse.ts': `
      import { readFile, writeFile, access } from 'node:fs/promises';
      export default async (blob, ctx) => {
        await writeFile('out.bin', (await readFile(await ctx.file(blob))).reverse());
        const kept = await ctx.keep('out.bin');
        const gone = await access('out.bin').then(() => false, () => true);
        return { kept, gone };
      };`,
  })('reverse.ts');
  const blob = await farm.upload(bytes);
  const { kept, gone } = await farm.run<(blob: BlobRef) => { kept: BlobRef; gone: boolean }>(module, blob);
  const reversed = Buffer.from(bytes).reverse();
  assert.deepEqual([kept, gone], [{ sha256: hash('sha256', reversed), size: bytes.length }, true]);
  const file = path.join(temporaryDirectory(t, 'out'), 'out.bin');
  await farm.download(kept, pathToFileURL(file));
  assert.ok(readFileSync(file).equals(reversed));
});

test('T-17: files that are not the task’s own are neither taken nor written to', async (t) => {
  const { farm } = await clientFarm(t);
  const blob = await farm.upload(randomBytes(10));
  const outside = temporaryDirectory(t, 'outside');
  mkdirSync(path.join(outside, 'folder'));
  const attempt = async (what: { blob: BlobRef; outside: string }, ctx: Attempting): Promise<string[]> => {
    const { writeFile, mkdir } = await import('node:fs/promises');
    const said = (promise: Promise<unknown>) =>
      promise.then(
        () => 'done',
        (error: Error & { code?: string }) => `${error.code ?? error.name}: ${error.message}`,
      );
    const file = await ctx.file(what.blob.sha256);
    await mkdir('folder', { recursive: true });
    return [
      await said(ctx.keep(file)),
      await said(writeFile(file, 'other')),
      await said(ctx.keep(what.outside)),
      await said(ctx.keep('folder')),
      await said(ctx.keep('none')),
      await said(ctx.file('../../secret')),
      await said(ctx.file({ sha256: 'a'.repeat(64), size: 1 })),
    ];
  };
  const said = await farm.run(attempt, { blob, outside });
  const expected = [
    /^TypeError: ctx\.keep takes a file in the task's own directory, which .+ is not$/,
    /^ERR_ACCESS_DENIED: /,
    /^ERR_ACCESS_DENIED: /,
    /^TypeError: ctx\.keep takes a file, which folder is not$/,
    /^ENOENT: /,
    /^TypeError: a blob is named by its SHA-256/,
    /was answered 404: /,
  ];
  expected.forEach((pattern, i) => void assert.match(said[i] ?? '', pattern));
  assert.equal((await farm.download(blob)).length, 10);
});

interface Attempting {
  file(blob: BlobRef | string): Promise<string>;
  keep(path: string): Promise<BlobRef>;
}

test('a file is there until its task is over, however many others come meanwhile', async (t) => {
  const { farm } = await clientFarm(t, { cacheSize: MiB });
  const blobs = await Promise.all([0, 1, 2, 3].map(() => farm.upload(randomBytes(MiB))));
  const read = async (all: BlobRef[], ctx: Attempting & { blob(sha256: string): Promise<Uint8Array> }) => {
    const { existsSync } = await import('node:fs');
    const files: string[] = [];
    for (const each of all) files.push(await ctx.file(each));
    const there = files.map((file) => existsSync(file));
    return { there, files };
  };
  const { there, files } = await farm.run(read, blobs);
  assert.deepEqual(there, [true, true, true, true]);
  const left = () => Promise.all(files.map((file) => import('node:fs').then(({ existsSync }) => existsSync(file))));
  await waitFor(async () => (await left()).filter(Boolean).length === 1, { what: 'all but the last to go' });
  // What is read whole is needed no longer than that.
  const bytes = async (all: BlobRef[], ctx: Attempting & { blob(sha256: string): Promise<Uint8Array> }) => {
    const sizes: number[] = [];
    for (const { sha256 } of [...all, ...all]) sizes.push((await ctx.blob(sha256)).length);
    return sizes;
  };
  assert.deepEqual(
    await farm.run(bytes, blobs),
    Array.from({ length: 8 }, () => MiB),
  );
});
