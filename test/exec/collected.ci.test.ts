import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { CommandLine } from '../support/command-line.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { startManyhands } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

async function farm(t: TestContext): Promise<{ shell: CommandLine; read: (file: string) => string }> {
  const shell = new CommandLine(t);
  const served = await shell.serve();
  const worker = startManyhands(t, ['join', served.joinUrl, '--slots', '2', '--allow', 'exec']);
  await worker.output(/joined/, { timeout: 60_000 });
  return { shell, read: (file) => readFileSync(path.join(shell.directory, file), 'utf8') };
}

describe('manyhands results JOB --files', () => {
  it('brings what the commands of a detached job have collected, and replaces nothing unasked', async (t) => {
    const { shell, read } = await farm(t);
    const command = ['--collect', 'd/{}.up', '--', 'mkdir d; echo {} | tr a-z A-Z >d/{}.up', ':::', 'a b', 'c'];
    const sent = await shell.run(['exec', '--quiet', '--detach', ...command]);
    assert.deepEqual([sent.code, sent.stdout], [0, '1\n']);
    const told = await shell.run(['results', '1']);
    assert.equal(told.code, 0);
    const words = /^manyhands: 2 collected files are kept by the server: manyhands results 1 --files DIR writes them below DIR$/m;
    assert.match(told.stderr, words);
    assert.equal(existsSync(path.join(shell.directory, 'd')), false);

    const brought = await shell.run(['results', '1', '--files', 'new/out']);
    assert.deepEqual([brought.code, brought.stderr], [0, '']);
    assert.deepEqual([read('new/out/d/a b.up'), read('new/out/d/c.up')], ['A B\n', 'C\n']);

    shell.write('new/out/d/c.up', 'of mine');
    const again = await shell.run(['results', '1', '--files', 'new/out', '--json']);
    assert.equal(again.code, 1);
    assert.equal(again.stderr, 'manyhands: 1 file is there with other contents and was left as it is: d/c.up; --overwrite replaces it\n');
    assert.equal(read('new/out/d/c.up'), 'of mine');
    const over = await shell.run(['results', '1', '--quiet', '--files', 'new/out', '--overwrite']);
    assert.deepEqual([over.code, over.stderr, read('new/out/d/c.up')], [0, '', 'C\n']);
  }); // biome-ignore format: one line

  it('goes on where a client died, and writes nothing outside of its directory', async (t) => {
    const { shell, read } = await farm(t);
    const script = 'test {} = 1 || while ! test -e "$GATE"; do sleep 0.1; done; echo {} >o-{}';
    const gate = path.join(shell.directory, 'gate');
    const command = ['--env', `GATE=${gate}`, '--collect', 'o-{}', '--', script, ':::', '1', '2', '3'];
    const client = shell.start(['exec', ...command]);
    await waitFor(() => existsSync(path.join(shell.directory, 'o-1')), { what: 'the first file', timeout: 60_000 });
    client.signal('SIGKILL');
    await client.exit(10_000);
    shell.write('gate', '');
    const rest = await shell.run(['results', 'last', '--quiet', '--files', '.']);
    assert.deepEqual([rest.code, rest.stderr], [0, '']);
    assert.deepEqual([read('o-1'), read('o-2'), read('o-3')], ['1\n', '2\n', '3\n']);

    const outside = temporaryDirectory(t);
    mkdirSync(path.join(shell.directory, 'there'));
    symlinkSync(outside, path.join(shell.directory, 'there/way-out'));
    const leads = ['--detach', '--collect', 'way-out/x', '--', 'mkdir way-out; echo {} >way-out/x', ':::', 'x'];
    await shell.run(['exec', ...leads]);
    const refused = await shell.run(['results', 'last', '--quiet', '--files', 'there']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /a file for way-out\/x, which lies outside of this directory: it was not written$/m);
    assert.deepEqual(readdirSync(outside), []);
  });

  it('says what cannot be: exit 2', async (t) => {
    const { shell } = await farm(t);
    shell.write('plain', '');
    await shell.run(['run', 'square.ts', '--quiet', '1']);
    const job = await shell.run(['results', '1', '--files', 'out']);
    assert.deepEqual([job.code, existsSync(path.join(shell.directory, 'out'))], [2, false]);
    assert.match(job.stderr, /job 1 is none of commands, which alone collect files: leave out --files$/m);
    const alone = await shell.run(['results', '1', '--overwrite']);
    assert.deepEqual([alone.code, alone.stderr], [2, 'manyhands: --overwrite is about the files that --files writes: give both\n']); // biome-ignore format: one line
    await shell.run(['exec', '--quiet', '--detach', '--collect', 'x', '--', 'touch x', ':::', 'a']);
    const file = await shell.run(['results', '2', '--files', 'plain']);
    assert.match(file.stderr, /plain can't be made a directory: something else is in its place$/m);
    assert.equal(file.code, 2);
  });
});
