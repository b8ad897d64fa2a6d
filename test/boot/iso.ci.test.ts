import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { formatBootConfig } from '../../src/server/boot/boot-config.ts';
import { BootFarm } from '../support/boot-farm.ts';
import { type BootImage, bootNeeds, buildImage, fetchIso } from '../support/boot-image.ts';
import { drawPicture } from '../support/boot-picture.ts';
import type { Cleanup } from '../support/cleanup.ts';
import { temporaryDirectory } from '../support/directories.ts';
import { Machine } from '../support/machine.ts';
import { runManyhands } from '../support/processes.ts';

const OVMF = ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_CODE.fd'];

/** What the kernel of a booted machine lets nobody do, which follows from whether its firmware has asked for signatures. */
async function lockdown(t: Cleanup, farm: BootFarm): Promise<string> {
  const command = ['exec', ...farm.options, '--', 'cat', '/sys/kernel/security/lockdown', ':::', 'once'];
  return (await runManyhands(t, command, { env: farm.environment, timeout: 180_000 })).stdout;
}

describe(
  'a machine that is booted from the ISO',
  bootNeeds('qemu-system-x86_64', 'xorriso', 'grub-mkimage', 'mformat', OVMF[0] ?? ''),
  () => {
    let image: BootImage;
    before(() => {
      image = buildImage('x64');
    });

    const firmware = (): string[] => {
      const code = OVMF.find((file) => existsSync(file)) ?? '';
      return ['-drive', `if=pflash,format=raw,readonly=on,file=${code}`, '-device', 'VGA'];
    };
    /** Firmware that starts only what somebody it trusts has signed. It keeps what it learns in a copy of its variables. */
    const secureFirmware = (t: Cleanup): string[] => {
      const variables = path.join(temporaryDirectory(t, 'variables'), 'vars.fd');
      copyFileSync('/usr/share/OVMF/OVMF_VARS_4M.ms.fd', variables);
      return [
        ...['-machine', 'q35,smm=on', '-global', 'driver=cfi.pflash01,property=secure,value=on', '-device', 'VGA'],
        ...['-drive', 'if=pflash,format=raw,readonly=on,unit=0,file=/usr/share/OVMF/OVMF_CODE_4M.secboot.fd'],
        ...['-drive', `if=pflash,format=raw,unit=1,file=${variables}`],
      ];
    };
    const ways: Record<string, (iso: string, t: Cleanup) => string[]> = {
      'BIOS, as a CD': (iso) => ['-vga', 'std', '-cdrom', iso],
      // As the controllers of today's machines have it; by the IDE of the nineties the firmware reads it word by word.
      'BIOS, as a disk': (iso) => [
        ...['-vga', 'std', '-drive', `file=${iso},format=raw,if=none,id=disk`],
        ...['-device', 'ich9-ahci,id=ahci', '-device', 'ide-hd,drive=disk,bus=ahci.0'],
      ],
      'UEFI with Secure Boot, as a CD': (iso, t) => [...secureFirmware(t), '-cdrom', iso],
      'UEFI, as a stick': (iso) => [
        ...firmware(),
        ...[
          '-device',
          'qemu-xhci',
          '-drive',
          `file=${iso},format=raw,if=none,id=stick`,
          '-device',
          'usb-storage,drive=stick',
        ],
      ],
    };
    for (const [way, boot] of Object.entries(ways)) {
      test(`joins the farm that it was made for: ${way}`, async (t) => {
        const farm = await BootFarm.start(t, '--boot-images', path.dirname(image.folder));
        const first = farm.farm.run((word: string) => `${word} from ${process.arch}`, 'hello', {});
        const iso = await fetchIso(t, farm, 'x64');
        const machine = Machine.start(t, image, { boot: boot(iso, t) });
        await machine.says(/manyhands: Joined http:/);
        assert.equal(await first, 'hello from x64');
        const { age, cpuSeconds } = machine;
        await drawPicture(farm.farm);
        if (way.includes('Secure')) assert.match(await lockdown(t, farm), /^none \[integrity\] confidentiality$/m);
        t.diagnostic(`first task ended ${age.toFixed(1)} s after power-on, ${cpuSeconds.toFixed(1)} s of CPU`);
      });
    }

    test('has its configuration where image.json says, and nowhere else', () => {
      const iso = readFileSync(path.join(image.folder, 'worker.iso'));
      const empty = formatBootConfig({ server: [] });
      assert.equal(iso.indexOf(empty), image.manifest.configOffset);
      assert.equal(iso.lastIndexOf(empty), image.manifest.configOffset);
    });

    test('is the same bytes when it is built again', () => {
      const sums = readFileSync(path.join(image.folder, 'SHA256SUMS'), 'utf8');
      assert.equal(readFileSync(path.join(buildImage('x64').folder, 'SHA256SUMS'), 'utf8'), sums);
      assert.equal(sums.trimEnd().split('\n').length, 3);
    });
  },
);
