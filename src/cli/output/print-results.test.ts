import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { runsOf } from '../../model/runs.ts';
import { packColumn, readColumn } from '../../protocol/column.ts';
import { encodeColumn } from '../../protocol/values/column.ts';
import { Out } from './out.ts';
import { type Arrival, printResults } from './print-results.ts';

function batch(...indexes: number[]): Arrival {
  const { lengths, status, bytes } = encodeColumn(indexes.map((index) => index * index));
  return { kind: 'batch', batch: { runs: runsOf(indexes), column: readColumn(packColumn(lengths, status, bytes)) } };
}

const options = { readBlob: async () => new Uint8Array(), onFailed: () => {} };

test('results that come in any order are printed in theirs, gaps and all', async (t) => {
  const file = path.join(temporaryDirectory(t), 'out.txt');
  const out = Out.file(file);
  async function* arrivals(): AsyncGenerator<Arrival> {
    yield batch(3, 4);
    yield batch(0);
    yield { kind: 'mark', next: 5 };
    yield batch(8, 5);
    yield batch(7);
  }
  await printResults(arrivals(), { ...options, out, form: 'values', ordered: true });
  out.close();
  assert.equal(readFileSync(file, 'utf8'), '0\n9\n16\n25\n49\n64\n');
});

test('unordered, they are printed as they come', async (t) => {
  const file = path.join(temporaryDirectory(t), 'out.jsonl');
  const out = Out.file(file);
  async function* arrivals(): AsyncGenerator<Arrival> {
    yield batch(3);
    yield batch(1);
  }
  await printResults(arrivals(), { ...options, out, form: 'records', ordered: false });
  out.close();
  assert.equal(
    readFileSync(file, 'utf8'),
    '{"index":3,"status":"done","value":9}\n{"index":1,"status":"done","value":1}\n',
  );
});

test('a reader that leaves is told as such, and a slow one blocks nobody else', async () => {
  const script = `
    import { Out, OutputClosed } from ${JSON.stringify(path.join(import.meta.dirname, 'out.ts'))};
    const out = Out.stdout();
    let written = 0;
    let writtenBefore = -1;
    // The pipe is full once nothing more was written between two turns; the next turns are those of a process that waits.
    let waiting = 0;
    setInterval(() => {
      waiting = written === writtenBefore && written > 0 ? waiting + 1 : 0;
      writtenBefore = written;
      if (waiting === 20) process.stderr.write('waiting\\n');
    }, 5).unref();
    try {
      for (let i = 0; i < 100; i++) {
        await out.write(Buffer.alloc(10_000, 'x'));
        written += 1;
      }
    } catch (error) {
      process.stderr.write(error instanceof OutputClosed ? 'closed' : 'broken');
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
    // Nothing was read so far; whoever blocks instead of waiting never comes to say so.
    if (said === 'waiting\n') child.stdout.destroy();
  });
  await new Promise((resolve) => child.on('close', resolve));
  assert.equal(said, 'waiting\nclosed');
});
