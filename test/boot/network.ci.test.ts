import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { BootFarm } from '../support/boot-farm.ts';
import { type BootImage, bootNeeds, buildImage } from '../support/boot-image.ts';
import { drawPicture } from '../support/boot-picture.ts';
import { Dhcp } from '../support/dhcp.ts';
import { Machine } from '../support/machine.ts';

interface Token {
  readonly id: string;
  readonly role: string;
  readonly enrolledBy?: string;
  readonly revokedAt?: number;
}

describe('a machine that boots from the network', bootNeeds('qemu-system-x86_64', 'apt-get', 'make'), () => {
  let image: BootImage;
  before(() => {
    image = buildImage('x64');
  });

  test('needs one address, joins by a token of its own, draws a picture, and stays out once it was shut out', async (t) => {
    const folder = image.folder.slice(0, -'/x64'.length);
    const farm = await BootFarm.start(t, '--host', '127.0.0.1', '--netboot', '--boot-images', folder);
    const machine = Machine.start(t, image, {
      boot: ['-boot', 'n'],
      card: null,
      more: ['-netdev', `user,id=n,bootfile=${farm.origin}/boot/ipxe`, '-device', 'virtio-net-pci,netdev=n'],
      memory: 768,
    });
    const [worker] = await farm.joined();
    t.diagnostic(`joined ${machine.age.toFixed(1)} s after power-on`);
    await drawPicture(farm.farm);
    const { tokens } = await farm.ask<{ tokens: Token[] }>('GET', '/v1/tokens');
    const own = tokens.find(({ enrolledBy }) => enrolledBy !== undefined);
    assert.equal(tokens.find(({ id }) => id === own?.enrolledBy)?.role, 'enrol');
    assert.equal(own?.role, 'work');
    assert.equal(worker?.kind, 'image');
    await farm.ask('DELETE', `/v1/tokens/${own?.id}`);
    await machine.says(/this machine is shut out: its token \w+ was revoked/);
    await machine.says(/what to do: Its token is no longer good/);
    const { workers } = await farm.ask<{ workers: unknown[] }>('GET', '/v1/workers');
    assert.deepEqual(workers, []);
  });

  test('that was told of nothing asks DHCP for its server, and follows when that has moved', async (t) => {
    const farm = await BootFarm.start(t);
    const [server = '', token = ''] = [farm.config.server[0], farm.config.token];
    const dhcp = await Dhcp.start(t, { server, token });
    const more = ['-netdev', `${dhcp.netdev},id=n1`, '-device', 'virtio-net-pci,romfile=,netdev=n1'];
    const machine = Machine.start(t, image, { more });
    await machine.says(/manyhands: server: http\S+ \(from DHCP\)/);
    await farm.joined();

    await farm.kill();
    await machine.says(/manyhands: The connection to the farm is gone/);
    await farm.move();
    const [moved = ''] = farm.config.server;
    dhcp.tell({ server: moved.slice('http://'.length), token });
    const answered = dhcp.answered;
    await machine.says(new RegExp(`manyhands: Joined ${moved} as worker`));
    await farm.joined();
    assert.ok(dhcp.answered > answered);
    assert.doesNotMatch(machine.said, new RegExp(token));
  });
});
