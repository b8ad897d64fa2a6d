import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BootFarm } from '../support/boot-farm.ts';
import { type BootImage, bootNeeds, buildImage } from '../support/boot-image.ts';
import { Machine } from '../support/machine.ts';
import { laterVersion, selfSigned } from '../support/odd-servers.ts';
import { waitFor } from '../support/wait.ts';

/** Milliseconds that the cable is out. */
const CABLE_OUT = 60_000;

describe(
  'a booted machine',
  bootNeeds('qemu-system-x86_64', 'apt-get', 'make', 'xorriso', 'grub-mkimage', 'mformat'),
  () => {
    let image: BootImage;
    before(() => {
      image = buildImage('x64');
    });

    test('says that it has no network card, and what to do; takes one that is plugged in; its power button switches it off', async (t) => {
      const machine = Machine.start(t, image, { card: null, more: ['-device', 'qemu-xhci', '-netdev', 'user,id=n1'] });
      await machine.says(/manyhands: There is no network card/);
      await machine.says(/manyhands: what to do: Plug in another card or a USB adapter/);
      await machine.command('device_add usb-net,netdev=n1');
      await machine.says(/manyhands: network: \w+ 10\.0\.2\.15\/24/);
      await machine.says(/manyhands: Nobody has told this machine which server to work for/);
      await machine.command('system_powerdown');
      await machine.ends();
      assert.match(machine.said, /manyhands: shutting down/);
    });

    test('says that it has too little memory', async (t) => {
      const machine = Machine.start(t, image, { memory: 256 });
      await machine.says(/manyhands: this machine has \d+ MiB of memory, which is too little/);
      await machine.says(/manyhands: what to do: give it 384 MiB or more/);
    });

    test('says that no DHCP server answers, and that its cable is out', async (t) => {
      const machine = Machine.start(t, image, { network: null });
      await machine.says(/manyhands: No DHCP server answers on eth0; asking again\./);
      await machine.command('set_link n0 off');
      await machine.says(/manyhands: Nothing is at the other end of the network cable \(eth0\)\./);
    });

    test('says which server it cannot reach, goes on to the next, and says that its token is wrong', async (t) => {
      const farm = await BootFarm.start(t);
      const server = ['http://10.0.2.2:9', ...farm.config.server];
      const machine = Machine.start(t, image, { config: { server, token: `mh_${'x'.repeat(43)}` } });
      await machine.says(/manyhands: Not joined: nothing listens at 10\.0\.2\.2:9\. Trying again every 1 s\./);
      await machine.says(/manyhands: what to do: Is the server running/);
      await machine.says(/manyhands: Not joined: .*token.* Trying again/);
      await machine.says(/manyhands: what to do: Its token is no longer good/);
    });

    test('says that a name is not found, a certificate not trusted, a server of another version', async (t) => {
      const [tls, later] = [await selfSigned(t), await laterVersion(t)];
      const server = ['http://farm.invalid:7070', `https://10.0.2.2:${tls}`, `http://10.0.2.2:${later}`];
      const machine = Machine.start(t, image, { config: { server, token: 'mh_any' } });
      await machine.says(/manyhands: Not joined: the name farm\.invalid cannot be found/);
      await machine.says(/manyhands: what to do: Check the name, and that DHCP names a DNS server/);
      await machine.says(/manyhands: Not joined: .*self.signed certificate/i);
      await machine.says(/manyhands: what to do: This machine does not trust the server's certificate/);
      await machine.says(/manyhands: Not joined: .*protocol version 99/);
      await machine.says(/manyhands: what to do: This image and the server are of different versions/);
    });

    test('outlives a task that wants all memory, a server that is killed, a minute without its cable, and a crash of its worker; a revoked token it tells', async (t) => {
      const farm = await BootFarm.start(t);
      const token = await farm.makeToken();
      const config = { ...farm.config, token: token.token };
      const machine = Machine.start(t, image, { config, hasShell: true });
      const [worker] = await farm.joined();
      const hungry = (): number => {
        const all: Uint8Array[] = [];
        for (;;) all.push(new Uint8Array(2 ** 20).fill(1));
      };
      await assert.rejects(farm.farm.run(hungry), { name: 'TaskError' });
      await machine.says(/manyhands: last error: a task process died/);
      assert.equal(await farm.farm.run((n: number) => n + 1, 1), 2);

      await farm.kill();
      await machine.says(/manyhands: The connection to the farm is gone/);
      await farm.restart();
      assert.equal(await farm.farm.run((n: number) => n + 2, 1), 3);

      await farm.ask('POST', `/v1/workers/${worker?.id}/drain`);
      await machine.says(/manyhands: Drained: it finishes what runs/);
      await farm.ask('POST', `/v1/workers/${worker?.id}/undrain`);
      await machine.says(/manyhands: It takes tasks again/);

      let at = machine.said.length;
      await machine.command('set_link n0 off');
      await sleep(CABLE_OUT);
      await machine.command('set_link n0 on');
      assert.equal(await farm.farm.run((n: number) => n + 3, 1), 4);
      await machine.says(/manyhands: Joined http/, { from: at });
      const [later] = await farm.joined();
      assert.equal(later?.id, worker?.id);

      at = machine.said.length;
      const slow = farm.farm.run(() => new Promise((resolve) => setTimeout(resolve, 3_000, 'slept')), 0);
      const isBusy = async (): Promise<boolean> => (await farm.joined())[0]?.busy === 1;
      await waitFor(isBusy, { what: 'it to begin', timeout: 30_000, interval: 100 });
      await machine.shell('kill -SEGV $(cat /run/worker.pid)');
      await machine.says(/manyhands: the worker ended \(139\)/, { from: at });
      await machine.says(/manyhands: Joined http/, { from: at });
      assert.equal(await slow, 'slept');

      at = machine.said.length;
      await farm.ask('DELETE', `/v1/tokens/${token.id}`);
      await machine.says(/manyhands: Not joined: the server refused this worker: this token was revoked/, { from: at });
      await machine.says(/manyhands: what to do: Its token is no longer good/, { from: at });
      assert.equal(machine.said.split('manyhands: starting on').length, 2, 'it was restarted');
    });
  },
);
