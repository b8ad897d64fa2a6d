import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BootFarm } from '../support/boot-farm.ts';
import { bootNeeds, buildImage } from '../support/boot-image.ts';
import { drawPicture } from '../support/boot-picture.ts';
import { Machine } from '../support/machine.ts';

describe(
  'a machine of ARM',
  bootNeeds('qemu-system-aarch64', 'apt-get', 'make', 'xorriso', 'grub-mkimage', 'mformat'),
  () => {
    test('joins, works, and is switched off by the server', async (t) => {
      const image = buildImage('arm64');
      const farm = await BootFarm.start(t);
      const machine = Machine.start(t, image, { config: farm.config });
      const first = await farm.farm.run((word: string) => `${word} from ${process.arch}`, 'hello', {});
      t.diagnostic(
        `first task ended ${machine.age.toFixed(1)} s after power-on, ${machine.cpuSeconds.toFixed(1)} s of CPU`,
      );
      assert.equal(first, 'hello from arm64');
      await drawPicture(farm.farm);
      const [worker] = await farm.joined();
      assert.deepEqual([worker?.kind, worker?.labels['arch']], ['image', 'arm64']);
      await farm.ask('POST', `/v1/workers/${worker?.id}/stop`);
      await machine.says(/The server has stopped this machine/);
      await machine.ends();
    });
  },
);
