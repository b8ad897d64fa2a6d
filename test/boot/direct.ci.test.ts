import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { BootFarm } from '../support/boot-farm.ts';
import { type BootImage, bootNeeds, buildImage } from '../support/boot-image.ts';
import { drawPicture } from '../support/boot-picture.ts';
import { repository } from '../support/directories.ts';
import { Machine } from '../support/machine.ts';
import { runManyhands } from '../support/processes.ts';

/** MiB that a machine needs at least. */
const SMALLEST = 384;

describe('a machine that is booted by its kernel', bootNeeds('qemu-system-x86_64', 'apt-get', 'make'), () => {
  let image: BootImage;
  before(() => {
    image = buildImage('x64');
  });

  test(`joins, and draws a picture as any other worker does, with ${SMALLEST} MiB`, async (t) => {
    const farm = await BootFarm.start(t);
    const first = farm.farm.run((word: string) => `${word} from ${process.arch}`, 'hello', {});
    const machine = Machine.start(t, image, { config: farm.config, memory: SMALLEST });
    assert.equal(await first, 'hello from x64');
    t.diagnostic(
      `first task ended ${machine.age.toFixed(1)} s after power-on, ${machine.cpuSeconds.toFixed(1)} s of CPU`,
    );
    const [worker] = await farm.joined();
    assert.equal(worker?.kind, 'image');
    assert.equal(worker?.slots, 1);
    assert.match(worker?.name ?? '', /^mh-525400123456$/);
    const { labels = {} } = worker ?? {};
    assert.deepEqual([labels['kind'], labels['arch'], labels['cores']], ['boot', 'x64', '1']);
    await drawPicture(farm.farm);
    await machine.says(/manyhands: Joined http:\/\/10\.0\.2\.2:\d+ as worker \w+\./);
    assert.doesNotMatch(machine.said, new RegExp(farm.config.token ?? 'none'));
    await farm.ask('POST', `/v1/workers/${worker?.id}/stop`);
    await machine.says(/The server has stopped this machine/);
    await machine.ends();
  });

  test('does its share of a picture, and the other machine all of the rest when it is lost', async (t) => {
    const farm = await BootFarm.start(t);
    const machines = [1, 2].map(() => Machine.start(t, image, { config: farm.config }));
    await farm.joined(2);
    let lost: Promise<void> | undefined;
    await drawPicture(farm.farm, (count) => {
      if (count === 60) lost = machines[0]?.kill();
    });
    await lost;
    assert.ok(lost !== undefined);
  });

  test('runs Python, WebAssembly as this machine does, and commands; one that fills the memory for files fails alone', async (t) => {
    const farm = await BootFarm.start(t);
    const machine = Machine.start(t, image, { config: { ...farm.config, allow: ['exec'] } });
    await farm.joined();
    const points = await farm.farm.map(new URL('../../examples/python/task.py', import.meta.url), [10, 20]);
    const counted = (await points.values()) as { points: number }[];
    assert.deepEqual(
      counted.map((each) => each.points),
      [10, 20],
    );
    const draw = (...where: string[]) =>
      runManyhands(t, ['run', 'examples/wasm/julia.wasm', '[48,16,-800,156]', '--quiet', ...where], {
        cwd: repository,
        env: farm.environment,
        timeout: 180_000,
      });
    const [there, here] = [await draw(...farm.options), await draw('--local', '1')];
    assert.deepEqual([there.code, there.stdout], [0, here.stdout], there.stderr);
    const command = (text: string) =>
      runManyhands(t, ['exec', ...farm.options, '--quiet', '--', text, ':::', 'once'], {
        env: farm.environment,
        timeout: 180_000,
      });
    // It has no room for what it would say either.
    const full = await command('cat /dev/zero >big 2>&1; true {}; test $(stat -c %s big) -gt 1000000000');
    assert.deepEqual([full.code, /its command exited with code 1$/m.test(full.stderr)], [1, true], full.stderr);
    assert.equal((await command('echo {} more')).stdout, 'once more\n');
    assert.equal(machine.said.split('manyhands: starting on').length, 2, 'it was restarted');
  });

  test('keeps its token and its settings from tasks, commands too; its clock is right, and its watchdog resets it when it hangs', async (t) => {
    const farm = await BootFarm.start(t);
    const { token = '', server } = farm.config;
    const config = { server, token, allow: ['exec'] as const };
    const wrong = ['-rtc', 'base=2020-01-01T00:00:00', '-device', 'i6300esb'];
    const machine = Machine.start(t, image, {
      config,
      cores: 2,
      append: `mh.token=${token}`,
      more: wrong,
      hasShell: true,
    });
    const [worker] = await farm.joined();
    assert.equal(worker?.slots, 2);
    const look =
      'id -u; date -u +%Y-%m-%d; cat /proc/cmdline; ls /etc/mh.conf /run/net; for i in /proc/[0-9]*; do cat $i/environ $i/cmdline; done; env';
    const { stdout, stderr } = await runManyhands(
      t,
      ['exec', ...farm.options, '--', `exec 2>&1; ${look}; true`, ':::', 'once'],
      {
        env: farm.environment,
        timeout: 180_000,
      },
    );
    assert.match(stdout, new RegExp(`^1000\n${new Date().toISOString().slice(0, 10)}\n`), `${stdout}${stderr}`);
    assert.match(stdout, /console=ttyS0/);
    assert.match(stdout, /mh\.conf: No such file/);
    assert.match(stdout, /\/run\/net.*denied/i);
    assert.doesNotMatch(stdout, new RegExp(token));
    assert.doesNotMatch(machine.said, new RegExp(token));

    // Its watchdog resets a machine whose worker hangs; this machine is not started again.
    await machine.shell('kill -STOP $(cat /run/worker.pid)');
    await machine.ends();
    assert.doesNotMatch(machine.said, /manyhands: shutting down/);
  });
});
