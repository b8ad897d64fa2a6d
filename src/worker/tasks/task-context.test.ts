import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContextHost, TaskContext } from './task-context.ts';

const host: ContextHost = {
  farm: 'farm',
  job: 1,
  lease: 2,
  log() {},
  progress() {},
  spawn() {},
  getBlob: async () => new Uint8Array(1),
  putBlob: async () => ({ sha256: 'a'.repeat(64), size: 1 }),
};

test('where there are no files, as in a browser, a task that asks for one hears so in one sentence', async () => {
  const context = new TaskContext(host, 0);
  const sentence = (what: string) =>
    new RegExp(
      `^${what} needs a disk, which a browser does not lend: import node:fs in the task, and only workers on Node are given it$`,
    );
  await assert.rejects(context.file('a'.repeat(64)), { name: 'TypeError', message: sentence('ctx\\.file') });
  await assert.rejects(context.keep('out.bin'), { name: 'TypeError', message: sentence('ctx\\.keep') });
  assert.equal((await context.blob('a'.repeat(64))).length, 1);
});

test('a file is asked for by the name of its blob, or by the blob', async () => {
  const asked: string[] = [];
  const files = {
    get: async (sha256: string) => {
      asked.push(sha256);
      return `/blobs/${sha256}`;
    },
    keep: async () => ({ sha256: 'b', size: 2 }),
  };
  const context = new TaskContext({ ...host, files }, 0);
  assert.equal(await context.file('a'), '/blobs/a');
  assert.equal(await context.file({ sha256: 'b', size: 1 }), '/blobs/b');
  await context.file(undefined as never);
  assert.deepEqual(asked, ['a', 'b', 'undefined'], 'what is no name is refused by who looks for it');
});
