import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { connect, type WasiTask } from 'manyhands';

/** Draws a turn around the Julia sets, a picture a task, and writes the pictures into a directory. */
const [directory = 'julia'] = process.argv.slice(2);
const PICTURES = 12;
const SIZE = 300;

const inputs = Array.from({ length: PICTURES }, (_, i) => {
  const angle = (2 * Math.PI * i) / PICTURES;
  const constant = [Math.cos(angle), Math.sin(angle)].map((part) => Math.round(788.5 * part));
  return { args: [SIZE, SIZE, ...constant, 'julia.pgm'], collect: ['julia.pgm'] };
});

await using farm = await connect();
const job = await farm.map<WasiTask>(new URL('./julia.wasm', import.meta.url), inputs);
await mkdir(directory, { recursive: true });
for (const [index, value] of (await job.values()).entries()) {
  if (typeof value !== 'object' || !('files' in value)) throw new TypeError('the program gave no files');
  const name = path.join(directory, `${String(index).padStart(2, '0')}.pgm`);
  const picture = value.files['julia.pgm'] ?? '';
  await writeFile(name, picture);
  console.log(`${name}: ${picture.length.toLocaleString('en')} bytes`);
}
