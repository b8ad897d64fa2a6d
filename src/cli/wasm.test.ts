import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { CommandLine } from '../../test/support/command-line.ts';
import { repository } from '../../test/support/directories.ts';

const line = new CommandLine({ after });
const probe = path.join(repository, 'test/wasm/probe.wasm');

test('a WebAssembly program runs once for each input; what it prints, and what it ends with, is told', async () => {
  const inputs = [
    'args',
    '["args","drei Äpfel"]',
    '{"args":["stdin"],"stdin":"given"}',
    '["complain","exit",3]',
    '["clocks"]',
  ];
  const { code, stdout, stderr } = await line.run(['run', probe, ...inputs, '--deterministic', '--local', '1']);
  assert.equal(code, 1);
  assert.equal(
    stdout,
    'probe.wasm\nargs\nprobe.wasm\nargs\ndrei Äpfel\n\ngiven\nreal 946684800001\nsteady 2\n'.replace('\n\n', '\n'),
  );
  assert.match(
    stderr,
    /\ntask 3 failed: ExitError: probe\.wasm exited with code 3; its last words:\n {4}complaint\n {4}unfinished\n/,
  );
});

test('variants of a task are one job: whichever runs, the results are the same', async () => {
  const counted = "export default ({ stdin }) => [stdin.split('\\n').length - 1, 2, stdin.length].join(' ');";
  line.write('count.ts', counted);
  const inputs = Array.from({ length: 30 }, (_, i) => JSON.stringify({ stdin: `many ${'x'.repeat(i + 1)}\n` }));
  const count = path.join(repository, 'examples/wasm/count.wasm');
  const { code, stdout } = await line.run([
    'run',
    'count.ts',
    '--variant',
    count,
    '--local',
    '2',
    '--quiet',
    ...inputs,
  ]);
  assert.equal(code, 0);
  assert.equal(stdout, inputs.map((_, i) => `1 2 ${i + 7}\n`).join(''));
  const missing = await line.run(['run', 'count.ts', '--variant', 'gone.wasm', '1']);
  assert.deepEqual([missing.code, missing.stdout], [2, '']);
  assert.match(missing.stderr, /^manyhands: the task module gone\.wasm does not exist/);
});

test('what is no program, or not meant for one, is refused before anything is started: exit code 2', async () => {
  line.write('text.wasm', 'no module');
  const [bad, wrong] = await Promise.all([
    line.run(['run', 'text.wasm', 'x']),
    line.run(['run', 'square.ts', '5', '--deterministic']),
  ]);
  assert.deepEqual([bad.code, bad.stdout], [2, '']);
  assert.equal(
    bad.stderr,
    'manyhands: the WebAssembly module text.wasm is no WebAssembly: it does not begin as a module does\n',
  );
  assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
  assert.match(wrong.stderr, /^manyhands: --deterministic is for WebAssembly programs, and square\.ts is none\n/);
});
