import assert from 'node:assert/strict';
import { createHash, hash, randomBytes } from 'node:crypto';
import { closeSync, createReadStream, openSync, readFileSync, writeSync } from 'node:fs';
import { rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { BlobRef, Farm } from '../../src/index.ts';
import { connect } from '../../src/index.ts';
import { cleanUp } from '../support/cleanup.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { startManyhands } from '../support/processes.ts';
import { Served } from './served.ts';

const MiB = 2 ** 20;
const SIZE = 5 * 2 ** 30;
/** What the server and a worker may grow by. */
const GROWTH = 64 * MiB;
/** What is on its way through buffers when a line is cut, and the rest of what else is said. */
const AGAIN = 32 * MiB;

/** Bytes of memory that a process has had at most. */
function peakOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

/** A file of chance, each MiB of it another one: nothing of it can be left out or stored twice. */
function writeLarge(file: string, size = SIZE): void {
  const piece = randomBytes(MiB);
  const target = openSync(file, 'w');
  for (let number = 0; number < size / MiB; number++) {
    piece.writeUInt32LE(number, 0);
    writeSync(target, piece);
  }
  closeSync(target);
}

async function digestOf(file: string): Promise<string> {
  const sum = createHash('sha256');
  for await (const part of createReadStream(file, { highWaterMark: MiB })) sum.update(part as Buffer);
  return sum.digest('hex');
}

/** Reads the blob to its end and writes another of the same size: the first piece last. */
async function turnRound(
  blob: BlobRef,
  ctx: { file(blob: BlobRef): Promise<string>; keep(path: string): Promise<BlobRef> },
): Promise<{ sha256: string; kept: BlobRef }> {
  const { createHash } = await import('node:crypto');
  const { open } = await import('node:fs/promises');
  const sum = createHash('sha256');
  const [from, to] = [await open(await ctx.file(blob), 'r'), await open('round.bin', 'w')];
  const piece = Buffer.alloc(1024 * 1024);
  for (let at = 0; at < blob.size; at += piece.length) {
    await from.read(piece, 0, piece.length, at);
    sum.update(piece);
    await to.write(piece, 0, piece.length, (at + blob.size - piece.length) % blob.size);
  }
  await Promise.all([from.close(), to.close()]);
  return { sha256: sum.digest('hex'), kept: await ctx.keep('round.bin') };
}

test('F-32: a file of 5 GiB passes into a task and out of it, cut on each of its four ways, in little memory', async (t) => {
  const directory = temporaryDirectory(t, 'large');
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < 7 * SIZE) return t.skip(`needs ${(7 * SIZE) / 2 ** 30} GiB of disk`);
  const served = await Served.start(t);
  const proxy = async () => CuttingProxy.start(t, served.port);
  const [ofClient, ofWorker] = [await proxy(), await proxy()];
  const joinUrl = served.joinUrl.replace(`:${served.port}/`, `:${ofWorker.port}/`);
  const env = { TMPDIR: directory };
  const worker = startManyhands(t, ['join', joinUrl, '--slots', '1', '--json'], { env });
  await worker.output(/"joined"/, { stream: 'stdout', timeout: 60_000 });
  const farm: Farm = await connect({ url: `http://127.0.0.1:${ofClient.port}`, token: served.admin });
  cleanUp(t, () => farm.close());

  // What any blob costs, once.
  const warm = await farm.upload(randomBytes(16 * MiB));
  const { kept: warmed } = await farm.run(turnRound, warm);
  assert.equal((await farm.download(warmed)).length, warm.size);
  const before = { server: peakOf(served.process.pid), worker: peakOf(worker.pid) };

  const times: string[] = [];
  const timed = async <Result>(what: string, step: Promise<Result>): Promise<Result> => {
    const began = performance.now();
    const result = await step;
    times.push(`${what} ${((performance.now() - began) / 1_000).toFixed(0)} s`);
    return result;
  };
  const input = path.join(directory, 'input');
  writeLarge(input);
  const sha256 = await digestOf(input);

  ofClient.cutAfter(SIZE / 2, 'up');
  const blob = await timed('upload', farm.upload(pathToFileURL(input)));
  assert.deepEqual(blob, { sha256, size: SIZE });

  ofWorker.cutAfter(SIZE / 2, 'down');
  ofWorker.cutAfter(SIZE / 2, 'up');
  const there = await timed('task', farm.run(turnRound, blob));
  assert.equal(there.sha256, sha256);
  assert.equal(there.kept.size, SIZE);
  await rm(input);

  ofClient.cutAfter(SIZE / 2, 'down');
  const output = path.join(directory, 'output');
  await timed('download', farm.download(there.kept, pathToFileURL(output)));
  assert.equal(await digestOf(output), there.kept.sha256);

  const ways = [ofClient.passed.up, ofWorker.passed.down, ofWorker.passed.up, ofClient.passed.down];
  const again = ways.map((bytes) => bytes - SIZE - warm.size);
  const grown = {
    server: peakOf(served.process.pid) - before.server,
    worker: peakOf(worker.pid) - before.worker,
  };
  const inMiB = (bytes: number): string => `${(bytes / MiB).toFixed(0)} MiB`;
  t.diagnostic(
    `${times.join(', ')}; the server grew by ${inMiB(grown.server)} and the worker by ${inMiB(grown.worker)}; ` +
      `sent again: ${again.map(inMiB).join(', ')}`,
  );
  assert.deepEqual([ofClient.cuts, ofWorker.cuts], [2, 2]);
  for (const bytes of again) assert.ok(bytes < AGAIN, `${inMiB(bytes)} were sent again`);
  assert.ok(grown.server <= GROWTH, `the server grew by ${inMiB(grown.server)}`);
  assert.ok(grown.worker <= GROWTH, `the worker grew by ${inMiB(grown.worker)}`);
});

const SHARED = 500 * MiB;
const READERS = 100;

/** The SHA-256 of one of many equal parts of the blob. */
async function digestOfPart(
  { blob, part, parts }: { blob: BlobRef; part: number; parts: number },
  ctx: { file(blob: BlobRef): Promise<string> },
): Promise<string> {
  const { createHash } = await import('node:crypto');
  const { createReadStream } = await import('node:fs');
  const size = blob.size / parts;
  const sum = createHash('sha256');
  const path = await ctx.file(blob);
  for await (const piece of createReadStream(path, { start: part * size, end: (part + 1) * size - 1 }))
    sum.update(piece);
  return sum.digest('hex');
}

test('100 tasks and some commands that read the same 500 MiB on one worker fetch them once, in little memory', async (t) => {
  const directory = temporaryDirectory(t, 'shared');
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < 8 * SHARED) return t.skip(`needs ${(8 * SHARED) / 2 ** 30} GiB of disk`);
  const served = await Served.start(t);
  const proxy = await CuttingProxy.start(t, served.port);
  const joinUrl = served.joinUrl.replace(`:${served.port}/`, `:${proxy.port}/`);
  const options = ['--slots', '2', '--allow', 'exec', '--json'];
  const worker = startManyhands(t, ['join', joinUrl, ...options], { env: { TMPDIR: directory } });
  await worker.output(/"joined"/, { stream: 'stdout', timeout: 60_000 });
  const farm = await served.connect();
  const warm = await farm.upload(randomBytes(16 * MiB));
  assert.equal((await farm.run(digestOfPart, { blob: warm, part: 0, parts: 1 })).length, 64);

  const file = path.join(directory, 'shared.bin');
  writeLarge(file, SHARED);
  const blob = await farm.upload(pathToFileURL(file));
  const before = { server: peakOf(served.process.pid), worker: peakOf(worker.pid) };
  const began = performance.now();
  const job = await farm.map(
    digestOfPart,
    Array.from({ length: READERS }, (_, part) => ({ blob, part, parts: READERS })),
  );
  const digests = await job.values();
  const size = SHARED / READERS;
  const whole = readFileSync(file);
  const expected = digests.map((_, i) => hash('sha256', whole.subarray(i * size, (i + 1) * size)));
  assert.deepEqual(digests, expected);
  const command = {
    runner: 'exec',
    code: JSON.stringify({ command: 'wc -c <shared.bin; : {}' }),
    sourceName: 'wc',
  } as const;
  const inputs = Array.from({ length: 4 }, (_, i) => ({ args: [`${i}`], files: [{ path: 'shared.bin', blob }] }));
  const printed = (await (await farm.map(command, inputs)).values()) as { stdout: string }[];
  for (const { stdout } of printed) assert.equal(Number(stdout), SHARED);

  const fetched = proxy.passed.down - warm.size;
  const grown = { server: peakOf(served.process.pid) - before.server, worker: peakOf(worker.pid) - before.worker };
  const inMiB = (bytes: number): string => `${(bytes / MiB).toFixed(1)} MiB`;
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  t.diagnostic(
    `${seconds} s; ${inMiB(fetched)} fetched; server ${inMiB(grown.server)}, worker ${inMiB(grown.worker)} more`,
  );
  assert.ok(fetched < SHARED + 4 * MiB, `${inMiB(fetched)} were fetched`);
  assert.ok(grown.server <= GROWTH && grown.worker <= GROWTH, JSON.stringify(grown));
});
