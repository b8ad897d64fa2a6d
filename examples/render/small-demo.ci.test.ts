import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { decode } from 'fast-png';
import { connect } from 'manyhands';
import { repository, temporaryDirectory } from '../../test/support/directories.ts';
import { blocksOf, patternOf, typedIn } from '../../test/support/documents.ts';
import { type Running, start } from '../../test/support/processes.ts';

interface Trial {
  readonly demo: Running;
  readonly picture: string;
  /** What the demo left in the directory for temporary files. */
  left(): string[];
}

function startDemo(t: TestContext, ...options: string[]): Trial {
  const directory = temporaryDirectory(t, 'demo');
  const temporary = temporaryDirectory(t, 'demo-tmp');
  const picture = path.join(directory, 'new', 'small.png');
  // A server that is named, or that runs here already, is none of the demo's business.
  const env = {
    TMPDIR: temporary,
    XDG_STATE_HOME: directory,
    MANYHANDS_URL: 'http://127.0.0.1:9/',
    MANYHANDS_TOKEN: 'x',
  };
  const command = [process.execPath, path.join(repository, 'examples/render/demo.ts'), '--out', picture, ...options];
  return { demo: start(t, command, { env }), picture, left: () => readdirSync(temporary) };
}

/** What README.md shows of the small picture. */
function shown(): RegExp {
  const blocks = blocksOf(readFileSync(path.join(import.meta.dirname, 'README.md'), 'utf8'));
  const [typed] = blocks.filter(({ language }) => language === 'console').flatMap(typedIn);
  return patternOf((typed?.output ?? []).map((line) => line.replace('small.png', '…small.png')));
}

test('the demo renders a picture, says what README.md shows, and leaves nothing behind', {
  timeout: 170_000,
}, async (t) => {
  const { demo, picture, left } = startDemo(t, '--small');
  const { code, stdout, stderr } = await demo.exit(150_000);
  assert.deepEqual([code, stderr], [0, '']);
  const { width, height, channels, data } = decode(readFileSync(picture));
  assert.deepEqual([width, height, channels], [480, 270, 3]);
  const row = data.subarray(135 * 480 * 3, 136 * 480 * 3);
  assert.ok(new Set(row).size > 100, 'the row in the middle shows something');
  assert.ok(new Set(data.subarray(0, 480 * 3)).size > 10, 'so does the sky');
  assert.match(stdout, shown());
  assert.match(stdout, /^dashboard {2}http:\/\/127\.0\.0\.1:\d+\/#\S+$/m);
  assert.match(stdout, /^seconds {4}\d+\.\d$/m);
  assert.match(stdout, /^speed-up {3}\d+\.\d\d over one slot, which would take \d+\.\d s$/m);
  assert.match(stdout, /^retries {4}0$/m);
  assert.deepEqual(left(), []);
});

test('--keep leaves the server and its workers up until Ctrl-C', { timeout: 180_000 }, async (t) => {
  const { demo, picture, left } = startDemo(t, '--small', '--keep');
  await demo.output(/stay up until Ctrl-C/, { timeout: 150_000 });
  assert.ok(existsSync(picture));
  const [, origin, token] = /^dashboard {2}(http:.*)\/#(\S+)$/m.exec(demo.stdout) ?? [];
  const farm = await connect({ url: `${origin}`, token: `${token}` });
  const last = os.availableParallelism() > 1 ? 4 : 3;
  const { spec, progress } = await farm.job(last).status();
  assert.deepEqual([spec.name, progress.state, progress.done], ['a picture', 'done', 48]);
  const again = await farm.run((x: number) => x + 1, 41);
  assert.equal(again, 42, 'its workers still work');
  await farm.close();
  demo.signal('SIGINT');
  assert.equal((await demo.exit()).code, 0);
  assert.deepEqual(left(), []);
});

test('Ctrl-C in the middle ends the demo and all it started', { timeout: 120_000 }, async (t) => {
  const { demo, picture, left } = startDemo(t);
  await demo.output(/^(one|all) slots? /m, { timeout: 100_000 });
  demo.signal('SIGINT');
  const { code, stderr } = await demo.exit();
  assert.deepEqual([code, stderr], [130, '']);
  assert.ok(!existsSync(picture));
  assert.deepEqual(left(), []);
});

test('an option that does not exist is named', async (t) => {
  const { code, stderr } = await startDemo(t, '--nice').demo.exit();
  assert.equal(code, 2);
  assert.match(stderr, /^demo: Unknown option '--nice'/);
});
