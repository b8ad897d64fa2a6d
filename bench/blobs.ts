// How fast blobs of 1 MiB are stored (hashed, synced) and read back. Median of 3 runs, with minimum and maximum.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { openFileBlobs } from '../src/store/blobs/file-blobs.ts';

const MIB = 1 << 20;
const BLOBS = 200;
const AT_ONCE = 4;
const PIECE = 64 * 1024;

async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}

async function inParallel(names: string[], act: (name: string) => Promise<void>): Promise<number> {
  const queue = [...names];
  const began = performance.now();
  const lane = async (): Promise<void> => {
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) await act(name);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return (performance.now() - began) / 1_000;
}

async function run(): Promise<[number, number, number]> {
  const dir = mkdtempSync(path.join(process.env['MANYHANDS_BENCH_DIR'] ?? process.cwd(), '.bench-blobs-'));
  try {
    const blobs = await openFileBlobs(dir);
    const data = new Map<string, Buffer>();
    const base = randomBytes(MIB);
    for (let at = 0; at < BLOBS; at++) {
      const bytes = Buffer.from(base);
      bytes.writeUInt32LE(at);
      data.set(createHash('sha256').update(bytes).digest('hex'), bytes);
    }
    const names = [...data.keys()];
    const wrote = await inParallel(names, async (name) => {
      await blobs.put(name, pieces(data.get(name) as Buffer));
    });
    const read = await inParallel(names, async (name) => {
      let size = 0;
      for await (const part of (await blobs.read(name)) ?? []) size += part.length;
      if (size !== MIB) throw new Error(`read ${size} bytes of ${name}`);
    });
    return [BLOBS / wrote, BLOBS / read, (2 * BLOBS) / (wrote + read)];
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const runs = [await run(), await run(), await run()];
for (const [row, name] of ['written', 'read', 'written and read'].entries()) {
  const [min, median, max] = runs.map((figures) => figures[row] as number).sort((a, b) => a - b);
  console.log(`${name.padEnd(20)} ${median?.toFixed(0).padStart(6)} MiB/s (${min?.toFixed(0)} to ${max?.toFixed(0)})`);
}
