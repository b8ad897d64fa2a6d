import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { run } from '../support/processes.ts';
import { BUGS } from './planted.ts';

/** Within so many seeds each must be found; without any bug these seeds are silent (long.ci.test.ts, simulation.test.ts). */
const SEEDS = 500;
const PATIENCE = 600_000;

for (const { name } of BUGS) {
  test(`the simulator finds the bug '${name}'`, async (t) => {
    const simulator = [process.execPath, path.join(import.meta.dirname, 'run.ts')];
    const { code, stdout, stderr } = await run(t, [...simulator, '--seeds', `1..${SEEDS}`, '--plant', name], {
      timeout: PATIENCE,
    });
    const [, seed, rule] = /^seed (\d+): ([\w-]+):/m.exec(stdout) ?? [];
    assert.ok(code === 1 && seed !== undefined, `not found in ${SEEDS} seeds\n${stdout}${stderr}`);
    t.diagnostic(`found at seed ${seed}: ${rule}`);
  });
}
