import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { WebSocketServer } from 'ws';
import type { Served } from '../../test/reliability/served.ts';
import { type Cleanup, cleanUp } from '../../test/support/cleanup.ts';
import { CommandLine } from '../../test/support/command-line.ts';

// One clear sentence that names what and where, the right exit code, no stack trace, nothing lost.

const suite: Cleanup = { after };
const line = new CommandLine(suite);
let farm: Promise<Served> | undefined;

/** One farm for those that need one. */
function served(): Promise<Served> {
  farm ??= line.serve('--workers', '1');
  return farm;
}

async function refused(args: readonly string[], code: number, sentence: RegExp, env: Record<string, string> = {}) {
  const result = await line.run(args, { env });
  assert.deepEqual([result.code, result.stdout], [code, ''], `${args.join(' ')}\n${result.stderr}`);
  assert.match(result.stderr, sentence);
  assert.match(result.stderr, /^manyhands: [^\n]+\n$/, 'one sentence');
}

interface Case {
  readonly args: readonly string[];
  readonly says: RegExp;
  readonly code?: number;
  readonly env?: Record<string, string>;
}

const usage: Record<string, Case> = {
  'a module that is not there': {
    args: ['run', 'missing.ts', '1'],
    says: /the task module missing\.ts does not exist \(looked in .*\)$/m,
  },
  'a module that is a directory': { args: ['run', 'folder', '1'], says: /the task module folder is a directory; name the file in it$/m },
  'a module that is this directory': { args: ['run', '.', '1'], says: /the task module \/.+ is a directory; name the file in it$/m },
  'a module that exports a number': { args: ['run', 'five.mjs', '1'], says: /the default export of the task module five\.mjs is 5, not a function$/m },
  'a script where CommonJS is meant': { args: ['run', 'old/script.js', '1'], says: /the task module old\/script\.js has no default export, which is the function that is called for each input; add: export default / },
  'a module without a default export': {
    args: ['run', 'other.ts', '1'],
    says: /the task module other\.ts has no default export, which is the function that is called for each input; it exports helper; add: export default helper$/m,
  },
  'a module that does not compile': {
    args: ['run', 'broken.ts', '1'],
    says: /the task module broken\.ts does not compile: broken\.ts:2:13: Unexpected ";"$/m,
  },
  'a module that imports what is not there': {
    args: ['run', 'lacks.ts', '1'],
    says: /the task module lacks\.ts imports what can't be found: lacks\.ts:1:15: "no-such-package"; is it installed\? \(npm install no-such-package; if it has native parts: --install no-such-package\)$/m,
  },
  'a range that counts the other way': {
    args: ['run', 'square.ts', '--range', '5..1'],
    says: /the range 5\.\.1 has no numbers in it: to count the other way write 5\.\.1\.\.-1$/m,
  },
  'a range without a step': { args: ['run', 'square.ts', '--range', '1..5..0'], says: /the range 1\.\.5\.\.0 has a step of 0 and would never end$/m },
  'a range of words': { args: ['run', 'square.ts', '--range', 'a..b'], says: /"a\.\.b" is not a range: write it as 1\.\.100 or 0\.\.100\.\.5, in whole numbers$/m },
  'a range beyond the exact numbers': { args: ['run', 'square.ts', '--range', '1..9007199254740993'], says: /goes beyond the whole numbers that are exact/ },
  'inputs twice': { args: ['run', 'square.ts', '1', '--range', '1..2'], says: /inputs come from arguments and --range: give only one of them$/m },
  'a format of nothing': { args: ['run', 'square.ts', '--format', 'csv'], says: /--format says how to read a file: give one with --inputs$/m },
  'a format that is not known': { args: ['run', 'square.ts', '--inputs', '-', '--format', 'xml'], says: /'xml' is invalid\. Allowed choices are lines, jsonl, csv, tsv\. \(see --help\)$/m },
  'a file of inputs that is not there': { args: ['run', 'square.ts', '--inputs', 'none.jsonl'], says: /there is no input file none\.jsonl$/m },
  'a file that is one JSON value': { args: ['run', 'square.ts', '--inputs', 'list.json'], says: /the input list\.json: a \.json file is one value, not one for each task; .*\.jsonl/ },
  'an argument that looks tagged and is not': {
    args: ['run', 'square.ts', '{"$mh":[["Spaceship"]]}'],
    says: /the input \{"\$mh":\[\["Spaceship"\]\]\}: value /,
  },
  'a file of results that can not be': { args: ['run', 'square.ts', '1', '--out', 'nowhere/x'], says: /--out: nowhere\/x can't be written: there is no directory nowhere$/m },
  'a duration without a unit': { args: ['run', 'square.ts', '1', '--timeout', '5'], says: /"5" is not a duration: write it as 500ms, 30s, 5m, 4h or 7d$/m },
  'a size of nothing known': { args: ['run', 'square.ts', '1', '--memory', '5Q'], says: /"5Q" is not a size: write it as 64K, 512M or 2G$/m },
  'a number that is none': { args: ['run', 'square.ts', '1', '--retries', '-1'], says: /--retries takes a whole number from 0 to 1000, not "-1"$/m },
  'a requirement without a value': { args: ['run', 'square.ts', '1', '--requires', 'gpu'], says: /"gpu" is not a label: write it as gpu=yes$/m },
  '--detach with results': { args: ['run', 'square.ts', '1', '--detach', '--json'], says: /--detach prints the id of the job only: use "manyhands results" for its results$/m },
  'an unknown option': { args: ['run', 'square.ts', '--prioritty', '5'], says: /unknown option '--prioritty'; did you mean --priority\?$/m },
  'an unknown command': { args: ['rnu', 'square.ts'], says: /unknown command 'rnu'; did you mean run\?$/m },
  'a missing argument': { args: ['run'], says: /missing required argument 'module' \(see --help\)$/m },
  'too many arguments': { args: ['jobs', 'all'], says: /too many arguments for 'jobs'/ },
  'a role that does not exist': { args: ['token', 'create', '--role', 'king'], says: /'king' is invalid\. Allowed choices are admin, submit, work, read, enrol\./ },
  'a store that there is not': { args: ['serve', '--store', 'mysql://db/farm'], says: /--store takes sqlite or postgres:\/\/…, not "mysql:\/\/db\/farm"$/m },
  'a database without a name': { args: ['serve', '--store', 'postgres://u:secret@db'], says: /--store looks like postgres:\/\/USER@HOST:5432\/DATABASE$/m },
  'a database that does not answer': {
    args: ['serve', '--store', 'postgres://u:secret@127.0.0.1:9/farm', '--data', 'folder'],
    code: 3,
    says: /^manyhands: --store: PostgreSQL at 127\.0\.0\.1:9 does not answer \(.*\): is PostgreSQL running there\?$/m,
  },
  'a bucket for a server with SQLite': { args: ['serve', '--blobs', 's3://blobs'], says: /--blobs is for servers with --store postgres:\/\/…: with sqlite blobs are files in the data directory$/m },
  'a bucket that is none': { args: ['serve', '--store', 'postgres://u@127.0.0.1:9/farm', '--blobs', '/var/blobs'], says: /--blobs: it looks like s3:\/\/BUCKET\/PREFIX\?endpoint=https:\/\/HOST&region=REGION$/m },
  'a key in the URL of a bucket': { args: ['serve', '--store', 'postgres://u@127.0.0.1:9/farm', '--blobs', 's3://AKIA:secret@blobs'], says: /^manyhands: --blobs: keys do not belong into the URL, which everybody sees in the list of processes: put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY$/m },
  'a bucket that does not answer': {
    args: ['serve', '--store', 'postgres://u@127.0.0.1:9/farm', '--blobs', 's3://blobs?endpoint=http://127.0.0.1:9', '--data', 'unmade/data'],
    env: { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' },
    code: 3,
    says: /^manyhands: --blobs: s3:\/\/blobs at 127\.0\.0\.1:9 does not answer \(.*ECONNREFUSED.*\): is an S3 server running there\?$/m,
  },
  'an ability that there is not': { args: ['join', '--allow', 'perl', 'http://x#y'], says: /--allow knows only exec, python and install, not "perl"$/m },
  'packages that no registry has': { args: ['run', 'square.ts', '--install', 'sharp,../x', '1'], says: /^manyhands: --install: "\.\.\/x" is not the name of a package of npm: give NAME or NAME@VERSION/m },
  'no package': { args: ['run', 'square.ts', '--install', '', '1'], says: /^manyhands: --install: "" is not the name of a package of npm/m },
  'packages for a program that takes none': { args: ['run', 'tool.wasm', '--install', 'sharp', '1'], says: /does not exist/m },
  'an ability and what it makes void': { args: ['join', '--allow', 'exec', '--deny', 'net', 'http://x#y'], says: /^manyhands: exec cannot be kept off the network: leave out --allow exec or --deny net$/m },
  'abilities and what they make void': { args: ['join', '--allow', 'exec', '--allow', 'python', '--deny', 'net', 'http://x#y'], says: /^manyhands: exec and python cannot be kept off the network: leave out --allow exec and python or --deny net$/m },
  'an ability for no worker': { args: ['serve', '--allow', 'exec'], says: /--allow exec is for the workers here: give their number with --workers$/m },
  'a join link without a token': {
    args: ['join', 'http://127.0.0.1:9'],
    says: /joining needs a token: use the join link that the server printed, --token-file or MANYHANDS_TOKEN$/m,
  },
  'a join link that is no address': { args: ['join', 'ftp://farm#t'], says: /"ftp:\/\/farm#t" is no address of a server: it must begin with http:\/\/ or https:\/\/$/m },
  'a token file that is not there': { args: ['join', 'http://127.0.0.1:9', '--token-file', 'none'], says: /the token file none can't be read: there is no such file$/m },
  'a token file that is not there, for a job': { args: ['jobs', '--url', 'http://127.0.0.1:9', '--token-file', 'none'], says: /the token file none can't be read: there is no such file$/m },
  'a server to be joined that is not there': { args: ['join', 'http://127.0.0.1:9#mh_x'], code: 3, says: /nothing listens at 127\.0\.0\.1:9: is the server running\?$/m },
  'no server': { args: ['jobs', '--data', 'folder'], code: 3, says: /no server runs with the data directory folder: start one with "manyhands serve --data folder", or name one with --url$/m },
  'a data directory without a server, for a job': { args: ['run', 'square.ts', '1', '--data', 'folder'], code: 3, says: /no server runs with the data directory folder: start one with "manyhands serve --data folder", or name one with --url$/m },
  'a server and one for this command alone': { args: ['run', 'square.ts', '1', '--local', '1', '--data', 'folder'], says: /--data names a server, --local starts one for this command alone: give only one of them$/m },
  'a server that is not there': {
    args: ['jobs', '--url', 'http://127.0.0.1:9'],
    code: 3,
    says: /no server answers at http:\/\/127\.0\.0\.1:9 \(from --url\): start one there with "manyhands serve", or check the address$/m,
  },
  'servers of which two are none': {
    args: ['jobs', '--url', 'http://127.0.0.1:9, ftp://a,http://['],
    says: /the url, entry 2, must begin with http:\/\/ or https:\/\/, not ftp:; the url, entry 3, is not an address: "http:\/\/\["; give one such as http:\/\/127\.0\.0\.1:7070$/m,
  },
  'servers with one missing': { args: ['jobs', '--url', 'http://127.0.0.1:9,'], says: /the url, entry 2, is empty: give addresses with one comma between$/m },
  'servers to join of which two are none': {
    args: ['join', 'http://127.0.0.1:9#t,ftp://a,http://['],
    says: /"ftp:\/\/a" is no address of a server: it must begin with http:\/\/ or https:\/\/; "http:\/\/\[" is no address of a server: give something like http:\/\/HOST:7070$/m,
  },
  'servers to join with one missing': { args: ['join', 'http://127.0.0.1:9#t,'], says: /entry 2 of the servers is empty: give their addresses with one comma between$/m },
  'an address that is none': { args: ['jobs', '--url', 'http://'], says: /the url is not an address: / },
  'listening everywhere and in one place': { args: ['serve', '--lan', '--host', '127.0.0.2'], says: /--lan listens on all addresses, --host on one: give only one of them$/m },
  'an address that is not here': { args: ['serve', '--host', '192.0.2.1', '--port', '0'], says: /cannot listen on 192\.0\.2\.1:0 \(EADDRNOTAVAIL\): choose another --host or --port$/m },
  'a data directory below a file': { args: ['serve', '--port', '0', '--data', 'square.ts/x'], says: /the data directory .*square\.ts\/x can't be used: a part of its path is not a directory; choose another with --data DIR$/m },
  'a data directory where nothing can be made': { args: ['serve', '--port', '0', '--data', '/proc/x'], says: /the data directory \/proc\/x can't be used: no folder can be made there; choose another with --data DIR$/m },
  'a data directory that is a file': { args: ['serve', '--port', '0', '--data', 'square.ts'], says: /the data directory .*square\.ts can't be used: it is a file, not a directory; choose another with --data DIR$/m },
}; // biome-ignore format: one line a case is easier to read aloud

line.write('other.ts', 'export const helper = (x: number) => x;\n');
line.write('broken.ts', 'export default (x: number) => {\n  const y = ;\n  return y;\n};\n');
line.write('five.mjs', 'export default 5;\n');
mkdirSync(path.join(line.directory, 'old'));
line.write('old/package.json', '{"type":"commonjs"}\n');
line.write('old/script.js', 'console.log("no function here");\n');
line.write('lacks.ts', "import x from 'no-such-package';\nexport default (y: number) => x(y);\n");
mkdirSync(path.join(line.directory, 'folder'));

describe('on the command line', { concurrency: 3 }, () => {
  for (const [title, { args, code = 2, says, env }] of Object.entries(usage)) {
    it(title, () => refused(args, code, says, env));
  }
  after(() => assert.ok(!existsSync(path.join(line.directory, 'unmade')), 'nothing half-made'));
});

describe('in what a job is given', () => {
  it('a file with a broken line is told by its number, and the job is not left open', async () => {
    await served();
    line.write('bad.jsonl', 'oops\n1\n');
    await refused(['run', 'square.ts', '--inputs', 'bad.jsonl'], 2, /: bad\.jsonl, line 1: is not JSON: /);
    assert.equal((await line.run(['jobs', '--json'])).stdout, '', 'no job was made');
    line.write('broken.jsonl', `${'1\n'.repeat(3)}{"a":\n5\n`);
    await refused(['run', 'square.ts', '--inputs', 'broken.jsonl'], 2, /: broken\.jsonl, line 4: is not JSON: /);
    const far = `${'1\n'.repeat(20_000)}oops\n`;
    line.write('far.jsonl', far);
    await refused(
      ['run', 'square.ts', '--inputs', 'far.jsonl', '--quiet', '--out', 'far.out'],
      2,
      /: far\.jsonl, line 20001: is not JSON: /,
    );
    line.write('broken.csv', 'a,b\n1,2\n3\n');
    await refused(
      ['run', 'square.ts', '--inputs', 'broken.csv'],
      2,
      /: broken\.csv, line 3: has 1 fields, but the header has 2$/m,
    );
    const { stdout } = await line.run(['jobs', '--json']);
    for (const text of stdout.trim().split('\n').filter(Boolean)) assert.match(text, /"state":"cancelled"/);
  });

  it('a module that throws where it is imported is told once, with its place', async () => {
    await served();
    line.write('throws.ts', "\nthrow new Error('not today');\nexport default (x: number) => x;\n");
    const { code, stdout, stderr } = await line.run(['run', 'throws.ts', '--range', '1..50']);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^manyhands: the task module throws\.ts threw while it was loaded: Error: not today\n {4}at [^\n]*throws\.ts:2:7\)?\nmanyhands: job \d+ failed [^\n]*\n$/,
    );
  });

  it('a default export that is no function is told once', async () => {
    await served();
    line.write('late.mjs', 'const numbers = [5];\nexport default numbers[0];\n');
    const { code, stderr } = await line.run(['run', 'late.mjs', '1', '2']);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^manyhands: the default export of the task module late\.mjs is 5, not a function\nmanyhands: job \d+ failed \(0 done, 2 failed\)\n$/,
    );
  });

  it('a result that can not be sent fails its task alone, and its path is named', async () => {
    await served();
    line.write('deep.mjs', 'export default (x) => (x === 2 ? { list: [1, { call() {} }] } : x);\n');
    const { code, stdout, stderr } = await line.run(['run', 'deep.mjs', '1', '2', '3']);
    assert.deepEqual([code, stdout], [1, '1\n3\n']);
    assert.match(
      stderr,
      /^task 1 failed: ValueError: the result of task 1: result\.list\[1\]\.call is a function \(call\); [^\n]*\n/,
    );
  });
});

describe('of a server', () => {
  it('a wrong token is refused: exit 3, also for workers', async () => {
    const { url } = await served();
    const wrong = { MANYHANDS_URL: url, MANYHANDS_TOKEN: `mh_${'W'.repeat(43)}` };
    await refused(
      ['jobs'],
      3,
      /the server at \S+ does not accept the token: it may have ended or been revoked, or be of another server; ask its owner for a new one$/m,
      wrong,
    );
    await refused(['run', 'square.ts', '1'], 3, /the server at \S+ does not accept the token: /, wrong);
    await refused(
      ['join', url],
      3,
      /the server does not know the token \(401\): get a new join link from its owner$/m,
      wrong,
    );
  });

  it('one that speaks another version is refused: exit 3', async (t) => {
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    cleanUp(t, () => sockets.close());
    await once(sockets, 'listening');
    const detail = 'this server speaks protocol 7: update manyhands here';
    sockets.on('connection', (socket, request) => {
      socket.on('message', () => {});
      // Workers are told in a message, clients by the code of the close (P2).
      if (request.url === '/v1/worker') socket.send(JSON.stringify({ kind: 'refused', code: 'upgrade', detail }));
      socket.close(4426, detail);
    });
    const { port } = sockets.address() as { port: number };
    const link = `http://127.0.0.1:${port}#mh_x`;
    await refused(['join', link], 3, /this server speaks protocol 7: update manyhands here/);
    await refused(
      ['run', 'square.ts', '1', '--url', link],
      3,
      /speaks another version: this server speaks protocol 7: update manyhands here$/m,
    );
  });

  it('one that is no manyhands server is told apart: exit 3', async (t) => {
    const { createServer: createHttp } = await import('node:http');
    const other = createHttp((_, response) => response.writeHead(404).end('<h1>Not found</h1>'));
    cleanUp(t, () => other.close());
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const url = `http://127.0.0.1:${(other.address() as { port: number }).port}`;
    await refused(['jobs', '--url', url], 3, /does not answer like a manyhands server/);
    await refused(['run', 'square.ts', '1', '--url', url], 3, /does not answer like a manyhands server/);
    await refused(['join', `${url}#mh_x`], 3, /there is something at this address, but no manyhands server \(404\)$/m);
  });

  it('a second one on the same data is told which process holds it, and the first goes on (F-37)', async () => {
    const { process: first } = await served();
    const says = new RegExp(`the data in ${line.dataDir} is in use by process ${first.pid} `);
    await refused(['serve', '--port', '0'], 2, says);
    assert.equal((await line.run(['jobs'])).code, 0);
  });

  it('a port in use is named', async (t) => {
    const holder = createServer();
    cleanUp(t, () => holder.close());
    holder.listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    const args = ['serve', '--port', `${port}`, '--data', 'port-data'];
    await refused(args, 2, new RegExp(`port ${port} is in use: `));
  });

  it('data of a newer version is left as it is', async () => {
    const directory = path.join(line.directory, 'newer');
    mkdirSync(directory);
    const file = path.join(directory, 'manyhands.db');
    const db = new DatabaseSync(file);
    db.exec('CREATE TABLE future (x); PRAGMA application_id = 0x6d6e7968; PRAGMA user_version = 999');
    db.close();
    const before = readFileSync(file);
    await refused(
      ['serve', '--port', '0', '--data', directory],
      2,
      /manyhands\.db was written by a newer manyhands \(data version 999, this one knows \d+\); nothing was changed: /,
    );
    assert.deepEqual(readFileSync(file), before);
  });

  it('data that is no database is told as damaged, with what to do, and left as it is', async () => {
    const directory = path.join(line.directory, 'damaged');
    mkdirSync(directory);
    const file = path.join(directory, 'manyhands.db');
    writeFileSync(file, 'not a database at all'.repeat(1_000));
    await refused(
      ['serve', '--port', '0', '--data', directory],
      1,
      /manyhands\.db is damaged .* To restore: unpack your latest /,
    );
    assert.match(readFileSync(file, 'utf8'), /^not a database/);
  });
});
