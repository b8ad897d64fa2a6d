import assert from 'node:assert/strict';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { BootFarm } from '../support/boot-farm.ts';
import { type BootImage, bootNeeds, buildImage, fetchIso } from '../support/boot-image.ts';
import { drawPicture } from '../support/boot-picture.ts';
import { Machine } from '../support/machine.ts';

const FIRMWARE = '/usr/share/qemu-efi-aarch64/QEMU_EFI.fd';

describe(
  'a machine of ARM',
  bootNeeds('qemu-system-aarch64', 'apt-get', 'make', 'xorriso', 'grub-mkimage', 'mformat', FIRMWARE),
  () => {
    let image: BootImage;
    before(() => {
      image = buildImage('arm64');
    });

    test('joins, works, and is switched off by the server', async (t) => {
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

    test('is booted from the ISO by its UEFI, and joins the farm that it was made for', async (t) => {
      const farm = await BootFarm.start(t, '--boot-images', path.dirname(image.folder));
      const first = farm.farm.run((word: string) => `${word} from ${process.arch}`, 'hello', {});
      const disc = ['-drive', `file=${await fetchIso(t, farm, 'arm64')},format=raw,if=none,id=disc,readonly=on`];
      const boot = ['-bios', FIRMWARE, ...disc, '-device', 'virtio-scsi-pci', '-device', 'scsi-cd,drive=disc'];
      const machine = Machine.start(t, image, { boot });
      assert.equal(await first, 'hello from arm64');
      t.diagnostic(
        `first task ended ${machine.age.toFixed(1)} s after power-on, ${machine.cpuSeconds.toFixed(1)} s of CPU`,
      );
      await machine.says(/manyhands: server: http\S+ \(from the image\)/);
    });
  },
);
