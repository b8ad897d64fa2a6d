import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { linesOf } from '../../../test/support/described.ts';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { jsonBody, ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import type { JobView } from '../../model/feed.ts';
import { INLINE_VALUE_BYTES } from '../../model/limits.ts';
import { CSV_COLUMNS, CSV_VALUE_BYTES, ZIP_FILES } from '../../model/result-limits.ts';

const farm = await ServedFarm.start({ after });
await farm.join(2);

async function run(code: string, count: number): Promise<number> {
  const job = await farm.submit({ code, range: { start: 0, step: 1, count }, maxFailures: count });
  const isOver = async () => (await farm.json<JobView>('GET', `/v1/jobs/${job}`)).progress.endedAt;
  await waitFor(isOver, { what: `the end of job ${job}`, timeout: 60_000 });
  return job;
}

async function csv(job: number): Promise<string[][]> {
  const answer = await farm.ask('GET', `/v1/jobs/${job}/results.csv`);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['content-type'], 'text/csv; charset=utf-8');
  assert.equal(answer.headers['content-disposition'], `attachment; filename="job-${job}.csv"`);
  assert.ok(answer.text.endsWith('\r\n'));
  return parse(answer.body, { record_delimiter: '\r\n' }) as string[][];
}

describe('all results as CSV', () => {
  test('a column for each field, in the order of the tasks; failures and what is undefined have their lines', async () => {
    const job = await run(
      `export default (n) => {
        if (n === 3) throw new TypeError('=no, "never"');
        if (n === 4) return undefined;
        return n % 2 ? { n, text: '=1+' + n } : { n, value: 'v' + n, list: [n, 'a,b'] };
      };`,
      6,
    );
    assert.deepEqual(await csv(job), [
      ['index', 'status', 'n', 'value.value', 'list', 'text', 'error', 'attempts'],
      ['0', 'done', '0', 'v0', '[0,"a,b"]', '', '', '1'],
      ['1', 'done', '1', '', '', "'=1+1", '', '1'],
      ['2', 'done', '2', 'v2', '[2,"a,b"]', '', '', '1'],
      ['3', 'failed', '', '', '', '', 'TypeError: =no, "never"', '1'],
      ['4', 'done', '', '', '', '', '', '1'],
      ['5', 'done', '5', '', '', "'=1+5", '', '1'],
    ]);
  });

  test('values that are no objects share a column, and large ones are whole', async () => {
    const job = await run(
      `export default (n) => [
        1.5, 'two\\nlines', new Date(0), { a: 1 }, {}, new Uint8Array(${INLINE_VALUE_BYTES + 1}).fill(0xfb),
        'x'.repeat(${INLINE_VALUE_BYTES}), { big: 'x'.repeat(${CSV_VALUE_BYTES}) + '"' },
      ][n];`,
      8,
    );
    const [header, ...rows] = await csv(job);
    assert.deepEqual(header, ['index', 'status', 'value', 'a', 'error', 'attempts']);
    const values = rows.map((row) => row[2] ?? '');
    assert.deepEqual(values.slice(0, 5), ['1.5', 'two\nlines', '1970-01-01T00:00:00.000Z', '', '{}']);
    assert.equal(
      values[5],
      `'${Buffer.alloc(INLINE_VALUE_BYTES + 1, 0xfb).toString('base64')}`.replace(/^'(?!\+)/, ''),
    );
    assert.equal(values[6], 'x'.repeat(INLINE_VALUE_BYTES));
    assert.deepEqual(JSON.parse(values[7] ?? ''), { big: `${'x'.repeat(CSV_VALUE_BYTES)}"` });
    assert.ok(rows.every((row) => row.length === 6));
  });

  test('with more names than columns the rest of a value is JSON', async () => {
    const job = await run(
      `export default (n) => Object.fromEntries(Array.from({ length: 300 }, (_, i) => ['k' + n + '-' + i, i]));`,
      5,
    );
    const [header = [], ...rows] = await csv(job);
    assert.equal(header.length, CSV_COLUMNS + 5);
    assert.equal(header.at(-3), 'more');
    assert.deepEqual(
      JSON.parse(rows[3]?.at(-3) ?? ''),
      Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k3-${100 + i}`, 100 + i])),
    );
    assert.equal(rows[0]?.at(-3), '');
  });

  test('of a job that runs, what has ended without a gap', async () => {
    const code = `export default async (n) => { if (n === 3) await new Promise((resolve) => setTimeout(resolve, 60_000)); return n; };`;
    const job = await farm.submit({ code, range: { start: 0, step: 1, count: 6 } });
    const isThere = async () => (await farm.json<JobView>('GET', `/v1/jobs/${job}`)).progress.done >= 3;
    await waitFor(isThere, { what: 'the first three', timeout: 30_000 });
    const rows = await csv(job);
    await farm.json('POST', `/v1/jobs/${job}/cancel`);
    assert.deepEqual(
      rows.slice(1).map(([index]) => index),
      ['0', '1', '2'],
    );
  });
});

/** What another program finds in the archive. */
async function unzip(t: { after: (fn: () => void) => void }, job: number): Promise<Map<string, Buffer>> {
  const answer = await farm.ask('GET', `/v1/jobs/${job}/results.zip`);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['content-type'], 'application/zip');
  const directory = temporaryDirectory(t, 'zip');
  const file = path.join(directory, 'x.zip');
  writeFileSync(file, answer.body);
  const script = `import json, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1]) as a:\n  assert a.testzip() is None\n  a.extractall(sys.argv[2])\n  print(json.dumps(a.namelist()))`;
  const names = JSON.parse(execFileSync('python3', ['-c', script, file, directory], { encoding: 'utf8' })) as string[];
  return new Map(names.map((name) => [name, readFileSync(path.join(directory, name))]));
}

describe('all results as a zip archive', () => {
  test('bytes and texts are files named by task and kind, everything else is lines', async (t) => {
    const job = await run(
      `export default (n) => {
        if (n === 9) throw new Error('no');
        return [
          Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1), 'ünï "text"', { n }, Uint8Array.of(1, 2),
          new Uint8Array(3_000_000).fill(7), 'y'.repeat(${INLINE_VALUE_BYTES}), undefined,
          ['z'.repeat(${INLINE_VALUE_BYTES})], '', 0, 10, new Uint8Array(${2 * INLINE_VALUE_BYTES}).fill(0xff),
        ][n];
      };`,
      12,
    );
    const files = await unzip(t, job);
    const folder = `job-${job}`;
    assert.deepEqual(
      [...files.keys()],
      ['00.png', '01.txt', '03.bin', '04.bin', '05.txt', '08.txt', '11.bin', 'results.ndjson'].map(
        (name) => `${folder}/${name}`,
      ),
    );
    assert.equal(files.get(`${folder}/01.txt`)?.toString(), 'ünï "text"');
    assert.deepEqual(files.get(`${folder}/03.bin`), Buffer.from([1, 2]));
    assert.deepEqual(files.get(`${folder}/04.bin`), Buffer.alloc(3_000_000, 7));
    assert.equal(files.get(`${folder}/05.txt`)?.toString(), 'y'.repeat(INLINE_VALUE_BYTES));
    assert.equal(files.get(`${folder}/08.txt`)?.length, 0);
    const whole = linesOf((await farm.ask('GET', `/v1/jobs/${job}/results`)).text) as { index: number }[];
    const others = linesOf(files.get(`${folder}/results.ndjson`)?.toString() ?? '');
    assert.deepEqual(
      others,
      whole.filter(({ index }) => [2, 6, 7, 9, 10].includes(index)),
    );
  });

  test('where nothing is a file there are lines only; where everything is, there are none', async (t) => {
    assert.deepEqual([...(await unzip(t, await run('export default (n) => n', 3))).keys()].length, 1);
    const texts = await run("export default (n) => 'text ' + n", 3);
    assert.deepEqual(
      [...(await unzip(t, texts)).keys()],
      [0, 1, 2].map((n) => `job-${texts}/${n}.txt`),
    );
  });

  test('values beyond so many files are lines, none twice and none missing', async (t) => {
    const count = ZIP_FILES + 500;
    const job = await run('export default (n) => (n % 100 === 0 ? n : String(n))', count);
    const answer = await farm.ask('GET', `/v1/jobs/${job}/results.zip`);
    const file = path.join(temporaryDirectory(t, 'zip'), 'x.zip');
    writeFileSync(file, answer.body);
    const script = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as a:
  names = a.namelist()
  print(len(names), names[-1], len(a.read(names[-1]).splitlines()))`;
    const files = count - Math.ceil(count / 100);
    const lines = count - Math.min(files, ZIP_FILES);
    assert.equal(
      execFileSync('python3', ['-c', script, file], { encoding: 'utf8' }),
      `${Math.min(files, ZIP_FILES) + 1} job-${job}/results.ndjson ${lines}\n`,
    );
  });
});

test('lines that are brief tell of large values which blobs they are', async () => {
  const job = await run(`export default (n) => n === 0 ? 'x'.repeat(${INLINE_VALUE_BYTES + 1}) : n`, 2);
  const [large, small] = linesOf((await farm.ask('GET', `/v1/jobs/${job}/results?brief`)).text) as Record<
    string,
    unknown
  >[];
  assert.deepEqual(small, { index: 1, status: 'done', value: 1 });
  assert.deepEqual(Object.keys(large ?? {}), ['index', 'status', 'blob', 'size', 'type']);
  const blob = await farm.ask('GET', `/v1/blobs/${String(large?.['blob'])}`);
  assert.equal(blob.body.length, large?.['size']);
});

test('T-32: files are saved with a ticket for their path, once', async () => {
  const job = await run('export default (n) => n', 2);
  for (const ending of ['csv', 'zip']) {
    const address = `/v1/jobs/${job}/results.${ending}`;
    const { ticket } = (await farm.ask('POST', '/v1/tickets', jsonBody({ path: address }))).json as { ticket: string };
    assert.equal((await farm.ask('GET', `${address}?ticket=${ticket}`, { token: null })).status, 200);
    assert.equal((await farm.ask('GET', `${address}?ticket=${ticket}`, { token: null })).status, 401);
  }
});

test('a reader that leaves early leaves nothing open and nothing running', async () => {
  const large = INLINE_VALUE_BYTES * 20;
  const job = await run(
    `export default (n) => n % 2 ? new Uint8Array(${large}).fill(n) : String.fromCharCode(65 + n).repeat(${large})`,
    40,
  );
  for (const ending of ['csv', 'zip']) {
    for (let i = 0; i < 12; i++) {
      const { message } = await farm.begin(`/v1/jobs/${job}/results.${ending}`);
      await new Promise((resolve) => setTimeout(resolve, i * 3));
      message.destroy();
    }
    const isClosed = () => openBlobs() === 0;
    await waitFor(isClosed, { what: `the blobs of ${ending} to be closed`, timeout: 20_000 });
  }
});

/** Blobs that this process, in which the server runs, has open. */
function openBlobs(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes('/blobs/');
    } catch {
      // Closed in between.
      return false;
    }
  }).length;
}
