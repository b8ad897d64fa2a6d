/** How long the value codec takes, in microseconds a value. Run: node bench/values.ts [--json] */
import { decodeColumn, encodeColumn } from '../src/protocol/values/column.ts';
import { ColumnWriter } from '../src/protocol/values/column-writer.ts';

const count = 4096;
const repeats = 5;
const text = 'manyhands '.repeat(10);

const columns: Record<string, unknown[]> = {
  'small integers': fill((index) => index),
  'integers to 2^31': fill((index) => Math.imul(index, 2_654_435_761) >>> 1),
  floats: fill((index) => index / 7),
  undefined: fill(() => undefined),
  'short strings': fill((index) => `task ${index}`),
  'short strings, not ASCII': fill((index) => `täsk ${index}`),
  'object of 3 numbers': fill((index) => ({ x: index, y: 2, z: 3 })),
  'object with 100 characters': fill((index) => ({ id: index, text })),
  'nested object': fill((index) => ({ id: index, tags: ['a', 'b'], at: { x: 1, y: 2 } })),
  'tagged: Date': fill((index) => new Date(index * 1e6)),
  'tagged: Map of 2': fill((index) => new Map([['a', index], ['b', 2]])), // biome-ignore format: one kind a line
  'bytes: 100': fill((index) => new Uint8Array(100).fill(index)),
};

const rows = Object.entries(columns).map(([kind, values]) => {
  const encoded = encodeColumn(values);
  const writer = new ColumnWriter();
  return {
    kind,
    encode: measure(() => encodeColumn(values)),
    'encode one by one': measure(() => {
      for (let index = 0; index < values.length; index += 1) writer.append(values[index]);
      writer.finish();
    }),
    decode: measure(() => decodeColumn(encoded.lengths, encoded.status, encoded.bytes)),
    'bytes each': Math.round(encoded.bytes.length / count),
  };
});

if (process.argv.includes('--json')) console.log(JSON.stringify({ unit: 'µs a value', count, rows }));
else {
  console.log(`µs a value, columns of ${count}, median of ${repeats} runs of at least 0.1 s (Node ${process.version})`);
  console.table(Object.fromEntries(rows.map(({ kind, ...figures }) => [kind, figures])));
}

function fill(make: (index: number) => unknown): unknown[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function measure(run: () => unknown): number {
  const figures = Array.from({ length: repeats + 1 }, () => {
    let runs = 0;
    const start = performance.now();
    while (performance.now() - start < 100) {
      run();
      runs += 1;
    }
    return ((performance.now() - start) * 1000) / runs / count;
  });
  // The first run warms the compiler up and is not counted.
  const sorted = figures.slice(1).sort((a, b) => a - b);
  return Number((sorted[Math.floor(repeats / 2)] as number).toFixed(4));
}
