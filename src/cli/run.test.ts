import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Cleanup } from '../../test/support/cleanup.ts';
import { CommandLine } from '../../test/support/command-line.ts';
import type { StartOptions } from '../../test/support/processes.ts';

const suite: Cleanup = { after };
const line = new CommandLine(suite);

async function run(args: string, options?: StartOptions) {
  const { code, stdout, stderr } = await line.run(['run', ...args.split(' ')], options);
  return { code, stdout, stderr };
}

describe('run, without a server', () => {
  it('starts one for itself, says so, prints values in the order of the inputs, and leaves nothing behind', async () => {
    const temporary = path.join(line.directory, 'tmp');
    mkdirSync(temporary);
    const { code, stdout, stderr } = await run('square.ts --range 3..5 --local 1', { env: { TMPDIR: temporary } });
    assert.deepEqual([code, stdout], [0, '9\n16\n25\n']);
    assert.equal(stderr, 'manyhands: a server runs for this command alone, with 1 slot on this machine\n');
    assert.deepEqual(readdirSync(temporary), []);
  });

  it('says that none was found, tells failures with their lines, and exits 1', async () => {
    const { code, stdout, stderr } = await run('odd.ts 1 2 3');
    assert.deepEqual([code, stdout], [1, '1\n3\n']);
    assert.match(
      stderr,
      /^manyhands: no server found, so one runs for this command alone, with \d+ slots? on this machine\n/,
    );
    assert.match(stderr, /\ntask 1 failed: TypeError: no 2\n {4}at odd_default \(odd\.ts:2:26\)\n/);
    assert.match(stderr, /\nmanyhands: job 1 failed \(2 done, 1 failed\)\n$/);
  });

  it('leaves no job to a server that ends with it: --detach exits 3', async () => {
    const { code, stdout, stderr } = await run('square.ts 1 --detach');
    assert.deepEqual([code, stdout], [3, '']);
    assert.match(
      stderr,
      /^manyhands: no server runs on this machine, and one for this command alone would end with it: [^\n]*\n$/,
    );
  });

  it('is never what a server that was named is replaced by', async () => {
    for (const [args, env] of [
      ['square.ts 1 --url http://127.0.0.1:9', {}],
      ['square.ts 1', { MANYHANDS_URL: 'http://127.0.0.1:9' }],
    ] as const) {
      const { code, stdout, stderr } = await run(args, { env });
      assert.deepEqual([code, stdout], [3, '']);
      assert.match(stderr, /^manyhands: no server answers at http:\/\/127\.0\.0\.1:9: [^\n]*\n$/);
      assert.equal(/\(MANYHANDS_URL names it\)$/m.test(stderr), 'MANYHANDS_URL' in env);
    }
  });
});

describe('run, on a server', () => {
  before(async () => {
    await line.serve('--workers', '2');
  });

  it('takes arguments that are JSON as that, and others as texts; without any it calls once with undefined', async () => {
    const args = [
      'run',
      'kind.mjs',
      '7',
      '"7"',
      'seven',
      '[1]',
      '{"a":1}',
      'null',
      '-1',
      '{"$mh":[["Date","1970-01-01T00:00:00.000Z"]]}',
    ];
    assert.equal((await line.run(args)).stdout, 'Number\nString\nString\nArray\nObject\nNull\nNumber\nDate\n');
    assert.equal((await run('kind.mjs')).stdout, 'Undefined\n');
  });

  it('tells why a task failed, to people and in records', async () => {
    line.write(
      'why.mjs',
      "export default () => { throw new Error('outer', { cause: new Error('inner reason', { cause: 7 }) }); };\n",
    );
    const { stdout, stderr } = await run('why.mjs --json');
    assert.match(
      stderr,
      /^task 0 failed: Error: outer\n {4}because of Error: inner reason\n {4}because of Error: 7\n {4}at [^\n]*why\.mjs:1:\d+\)?\n/,
    );
    const { error } = JSON.parse(stdout) as { error: { cause: unknown } };
    assert.deepEqual(error.cause, {
      name: 'Error',
      message: 'inner reason',
      cause: { name: 'Error', message: '7' },
    });
  });

  it('counts ranges as seq does, also down and in steps', async () => {
    assert.equal((await run('echo.mjs --range 1..10..4')).stdout, '1\n5\n9\n');
    assert.equal((await run('echo.mjs --range -1..-3..-1')).stdout, '-1\n-2\n-3\n');
    assert.equal((await run('echo.mjs --range 5..5')).stdout, '5\n');
  });

  it('reads files by their names or as told, and standard input', async () => {
    line.write('in.jsonl', '{"a":1}\n"two"\n{"$mh":-1}\n');
    line.write('in.csv', 'name,size\n"a, b",1\n');
    line.write('in.txt', 'one\ntwo');
    assert.equal((await run('echo.mjs --inputs in.jsonl --json')).stdout, [
      '{"index":0,"status":"done","value":{"a":1}}',
      '{"index":1,"status":"done","value":"two"}',
      '{"index":2,"status":"done"}\n',
    ].join('\n')); // biome-ignore format: lines
    assert.equal((await run('echo.mjs --inputs in.csv')).stdout, '{"name":"a, b","size":"1"}\n');
    assert.equal((await run('echo.mjs --inputs in.txt')).stdout, 'one\ntwo\n');
    assert.equal((await run('echo.mjs --inputs in.txt --format tsv')).stdout, '{"one":"two"}\n');
    assert.equal((await run('kind.mjs --inputs -', { input: '1\n2\n' })).stdout, 'String\nString\n');
    assert.equal((await run('kind.mjs --inputs - --format jsonl', { input: '1\n2\n' })).stdout, 'Number\nNumber\n');
    assert.equal((await run('kind.mjs --inputs -', { input: '' })).stdout, '');
  });

  it('gives records as the contract has them, and writes them into a file', async () => {
    const records = [
      '{"index":0,"status":"done","value":1}',
      /^\{"index":1,"status":"failed","error":\{"name":"TypeError","message":"no 2","stack":"TypeError: no 2\\n[^"]*"\},"attempts":3\}$/,
      '{"index":2,"status":"done","value":3}',
      '',
    ];
    const check = (text: string) => {
      const lines = text.split('\n');
      assert.equal(lines.length, records.length, text);
      for (const [i, want] of records.entries()) {
        if (typeof want === 'string') assert.equal(lines[i], want);
        else assert.match(lines[i] as string, want);
      }
    };
    const json = await run('odd.ts 1 2 3 --json --retries 2');
    assert.equal(json.code, 1);
    check(json.stdout);
    const file = line.write('out.jsonl', 'an older and much longer result\n'.repeat(100));
    const out = await run('odd.ts 1 2 3 --out out.jsonl --retries 2');
    assert.deepEqual([out.code, out.stdout], [1, '']);
    check(readFileSync(file, 'utf8'));
  });

  it('keeps an older file until there is something to put in its place', async () => {
    const file = line.write('kept.jsonl', 'kept\n');
    line.write('broken.jsonl', '{\n');
    assert.equal((await run('echo.mjs --inputs broken.jsonl --out kept.jsonl')).code, 2);
    assert.equal((await run('echo.mjs 1 --url http://127.0.0.1:9 --out kept.jsonl')).code, 3);
    assert.equal(readFileSync(file, 'utf8'), 'kept\n');
  });

  it('leaves undefined out with --defined, and does not wait for order with --unordered', async () => {
    assert.equal((await run('even.ts --range 1..6')).stdout, '\n2\n\n4\n\n6\n');
    assert.equal((await run('even.ts --range 1..6 --defined')).stdout, '2\n4\n6\n');
    const { stdout } = await run('square.ts --range 1..100 --unordered --json');
    const seen = stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as { index: number; value: number });
    assert.deepEqual(
      seen.sort((a, b) => a.index - b.index).map(({ value }) => value),
      Array.from({ length: 100 }, (_, i) => (i + 1) ** 2),
    );
  });

  it('ends a job after more failures than --max-failures, or after 20 of which all failed', async () => {
    line.write('fails.mjs', "export default (x) => { if (x > 1) throw new Error('no'); return x; };\n");
    // One task at a time, so that the first one ends first, however slow one of the two slots is.
    const limited = await run('fails.mjs --range 1..100000 --max-failures 3 --cpus 2 --quiet');
    assert.deepEqual([limited.code, limited.stdout], [1, '1\n']);
    const all = await run('fails.mjs --range 2..100000');
    assert.equal(all.code, 1);
    assert.match(all.stderr, /manyhands: job \d+ failed \(0 done, .* failed, .* cancelled\): [^\n]+\n$/);
  });

  it('waits for no more inputs when the job has ended without them', async () => {
    line.write('never.mjs', "export default () => { throw new Error('no'); };\n");
    const running = line.start(['run', 'never.mjs', '--inputs', '-', '--max-failures', '1'], { input: 'open' });
    running.child.stdin?.write('1\n2\n');
    const { code, stderr } = await running.exit(60_000);
    assert.equal(code, 1);
    assert.match(stderr, /^manyhands: job \d+ failed \(0 done, 2 failed\)/m);
  });

  it('says nothing but failures with --quiet, and nothing at all when all is well', async () => {
    assert.deepEqual(await run('square.ts 2'), { code: 0, stdout: '4\n', stderr: '' });
    const { stderr } = await run('odd.ts 2 --quiet');
    assert.match(stderr, /^task 0 failed: TypeError: no 2\n {4}at [^\n]+\n$/);
  });

  it('prints only the number of a job with --detach, which wait and results find again', async () => {
    const { code, stdout, stderr } = await run('slow.mjs 1 2 3 --detach --name later');
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^\d+\n$/);
    const job = stdout.trim();
    assert.deepEqual(await line.run(['wait', job, 'last']), { code: 0, signal: null, stdout: '', stderr: '' });
    assert.equal((await line.run(['results', job])).stdout, '1\n2\n3\n');
    assert.match((await line.run(['show', 'last'])).stdout, /^name +later$/m);
  });

  it('says that there were no inputs, and that a table is no form of records', async () => {
    line.write('empty.jsonl', '');
    const empty = await line.run(['run', 'square.ts', '--inputs', 'empty.jsonl']);
    assert.equal(empty.code, 0);
    assert.match(empty.stderr, /^manyhands: job \d+ had no inputs, so nothing ran$/m);
    const table = await line.run(['run', 'square.ts', '1', '--out', 'x.csv']);
    assert.equal(table.code, 2);
    assert.match(table.stderr, /^manyhands: --out x\.csv: records are lines of JSON; name it \.jsonl/m);
  });

  it('R31: takes the results of another job with --results-of, and waits for others with --after', async () => {
    const job = (await run('even.ts --range 1..6 --detach')).stdout.trim();
    assert.equal((await run(`square.ts --results-of ${job} --after last`)).stdout, '4\n16\n36\n');
    assert.match((await line.run(['show', 'last'])).stdout, /^asked for +results of job \d+, after job \d+$/m);
    const twice = await run('square.ts 1 --results-of last');
    assert.deepEqual(twice, {
      code: 2,
      stdout: '',
      stderr: 'manyhands: inputs come from arguments and --results-of: give only one of them\n',
    });
    const unknown = await run('square.ts --results-of 9999');
    assert.deepEqual([unknown.code, unknown.stderr], [2, 'manyhands: there is no job 9999 to come after\n']);
    assert.equal(
      (await run('square.ts 1 --after x')).stderr,
      'manyhands: "x" is not a job: give its number, or last\n',
    );
    assert.match((await run('square.ts 1 --after 1 --local 1')).stderr, /^manyhands: --after names a job of a server/);
  });

  it('R34: lets tasks add others with --spawns, and refuses it without', async () => {
    line.write('halves.ts', 'export default (n: number, ctx: any) => { if (n > 1) ctx.spawn(n >> 1); return n; };');
    assert.equal(
      (await run('halves.ts 20 7 --spawns')).stdout
        .trim()
        .split('\n')
        .map(Number)
        .sort((a, b) => a - b)
        .join(),
      '1,1,2,3,5,7,10,20',
    );
    assert.match((await line.run(['show', 'last'])).stdout, /^asked for +its tasks may add others$/m);
    const { code, stderr } = await run('halves.ts 2 --quiet');
    assert.deepEqual(
      [code, stderr.split('\n')[0]],
      [1, 'task 0 failed: TypeError: ctx.spawn is for jobs that were submitted with the option spawns (run --spawns)'],
    );
  });

  it('says why nothing of it begins, once', async () => {
    const running = line.start(['run', 'square.ts', '3', '--requires', 'gpu=yes']);
    const [, job = ''] = await running.output(/^manyhands: job (\d+) waits\. .*lacks the label gpu=yes.*\n/m);
    assert.equal((await line.run(['cancel', job])).code, 0);
    const { code, stdout, stderr } = await running.exit();
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^manyhands: job \d+ waits\. [^\n]*\nmanyhands: job \d+ cancelled [^\n]*\n$/);
  });

  it('passes on what is asked of workers, and lets a task wait for one that has it', async () => {
    const { stdout } = await run(
      'square.ts 3 --requires gpu=yes --cpus 2 --memory 64M --resource licence=1 --timeout 30s --priority -5 --retries 1 --detach',
    );
    const job = stdout.trim();
    const { stdout: sheet } = await line.run(['show', job]);
    assert.match(
      sheet,
      /^asked for +priority -5, 1 retry, 30s for each task, 2 CPUs, 64 MiB of memory, 1 licence, gpu=yes$/m,
    );
    const { stdout: why } = await line.run(['explain', job, '0']);
    assert.match(why, /^state +waiting\n[\s\S]*lacks the label gpu=yes/);
    assert.equal((await line.run(['cancel', job])).code, 0);
    const { code, stderr } = await line.run(['wait', job]);
    assert.equal(code, 1);
    assert.match(stderr, /^manyhands: job \d+ cancelled \(0 done, 1 cancelled\): cancelled by request\n$/);
  });

  it('runs beside it all the same with --local', async () => {
    const { code, stdout, stderr } = await run('square.ts 5 --local 1');
    assert.deepEqual([code, stdout], [0, '25\n']);
    assert.match(stderr, /^manyhands: a server runs for this command alone, with 1 slot/);
  });
});

it('finds a server by --data, whatever the environment says', async () => {
  const env = { XDG_STATE_HOME: path.join(line.directory, 'elsewhere'), MANYHANDS_URL: 'http://127.0.0.1:9' };
  assert.equal((await line.run(['run', 'square.ts', '4', '--data', line.dataDir], { env })).stdout, '16\n');
});
