import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { CONFIG_OFFSET, imageFiles } from '../../../test/support/image-files.ts';
import { jsonBody, ServedFarm } from '../../../test/support/served-farm.ts';
import { BOOT_CONFIG_BYTES } from '../../model/boot-limits.ts';
import { ownToken } from '../../worker/node/enrol.ts';
import { startWorker } from '../../worker/node/join.ts';
import { parseBootConfig } from '../boot/boot-config.ts';

const { directory, iso } = imageFiles({ after });
const farm = await ServedFarm.start({ after }, { bootImages: directory, netboot: true });
const bare = await ServedFarm.start({ after }, { bootImages: path.join(directory, 'nowhere') });

interface Made {
  token: string;
  downloads: { architecture: string; path: string; bytes: number }[];
}

async function made(body: object = {}): Promise<{ token: string; address: string }> {
  const { token, downloads } = await farm.json<Made>('POST', '/v1/boot/images', body);
  assert.deepEqual(
    downloads.map(({ architecture, bytes }) => [architecture, bytes]),
    [['x64', iso.length]],
  );
  return { token, address: downloads[0]?.path ?? '' };
}

const configIn = (image: Buffer) => parseBootConfig(image.subarray(CONFIG_OFFSET, CONFIG_OFFSET + BOOT_CONFIG_BYTES));

describe('a boot image', () => {
  test('is told of, and one that knows this farm is the same but for its configuration', async () => {
    const info = await farm.json('GET', '/v1/boot');
    assert.deepEqual(info, {
      images: [
        {
          architecture: 'x64',
          version: '1.2.3',
          isCurrent: true,
          hasDisk: true,
          files: { vmlinuz: 8, initrd: 9, 'worker.iso': iso.length },
        },
        {
          architecture: 'arm64',
          version: '1.2.3',
          isCurrent: true,
          hasDisk: false,
          files: { vmlinuz: 34 },
        },
      ],
      machines: [],
      netboot: true,
      server: farm.server.url,
    });
    const { address } = await made({ allow: ['exec'] });
    const { status, headers, body } = await farm.ask('GET', address, { token: null });
    assert.deepEqual([status, headers['content-length']], [200, String(iso.length)]);
    assert.match(headers['content-disposition'] ?? '', /filename="manyhands-x64\.iso"/);
    const { server, token = '', allow } = configIn(body);
    assert.deepEqual([server, allow], [[farm.server.url], ['exec']]);
    assert.match(token, /^mh_/);
    assert.deepEqual(
      Buffer.concat([body.subarray(0, CONFIG_OFFSET), body.subarray(CONFIG_OFFSET + BOOT_CONFIG_BYTES)]),
      Buffer.concat([iso.subarray(0, CONFIG_OFFSET), iso.subarray(CONFIG_OFFSET + BOOT_CONFIG_BYTES)]),
    );
  });

  test('comes in ranges, which together are the whole', async () => {
    const { address } = await made();
    const whole = (await farm.ask('GET', address, { token: null })).body;
    const cuts = [
      0,
      1,
      CONFIG_OFFSET - 1,
      CONFIG_OFFSET + 7,
      CONFIG_OFFSET + BOOT_CONFIG_BYTES - 1,
      CONFIG_OFFSET + BOOT_CONFIG_BYTES + 1,
      iso.length,
    ];
    const parts: Buffer[] = [];
    for (const [i, from] of cuts.slice(0, -1).entries()) {
      const range = `bytes=${from}-${(cuts[i + 1] as number) - 1}`;
      const { status, body } = await farm.ask('GET', address, { token: null, headers: { range } });
      assert.equal(status, 206);
      parts.push(body);
    }
    assert.ok(Buffer.concat(parts).equals(whole));
    const head = await farm.ask('HEAD', address, { token: null });
    assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, String(iso.length), 0]);
    const beyond = await farm.ask('GET', address, { token: null, headers: { range: `bytes=${iso.length}-` } });
    assert.equal(beyond.status, 416);
  });

  test('lets each machine join by a token of its own, until it is taken back with all that joined by it', async () => {
    const { token: id, address } = await made();
    const { token = '' } = configIn((await farm.ask('GET', address, { token: null })).body);
    const url = new URL(farm.server.url);
    const own = await ownToken(url, token, { machine: 'a'.repeat(32), name: 'left' });
    assert.notEqual(own, await ownToken(url, token, { machine: 'b'.repeat(32), name: 'right' }));
    assert.equal(
      await ownToken(url, own, { machine: 'a'.repeat(32), name: 'left' }),
      own,
      'one that has its own keeps it',
    );
    const again = await ownToken(url, token, { machine: 'a'.repeat(32), name: 'left' });
    assert.equal((await farm.ask('GET', '/v1/me', { token: own })).status, 401);
    const { role, token: ownId } = (await farm.ask('GET', '/v1/me', { token: again })).json as Record<string, string>;
    assert.equal(role, 'work');
    await farm.json('DELETE', `/v1/tokens/${ownId}`);
    await assert.rejects(ownToken(url, token, { machine: 'a'.repeat(32), name: 'left' }), {
      final: true,
      message: /^this machine is shut out/,
    });
    await farm.json('DELETE', `/v1/tokens/${id}`);
    await assert.rejects(ownToken(url, token, { machine: 'c'.repeat(32), name: 'new' }), {
      final: true,
      message: /was revoked or has expired/,
    });
    const gone = await farm.ask('GET', address, { token: null });
    assert.deepEqual([gone.status, /make another/.test(gone.text)], [404, true]);
  });

  test('tells which machines have joined by it, and wakes one that is off', async (t) => {
    const other = await ServedFarm.start(t, { bootImages: directory });
    const url = new URL(other.server.url);
    const { token: id } = await other.json<Made>('POST', '/v1/boot/images', {});
    const enrol = (await other.json<{ tokens: { id: string }[] }>('GET', '/v1/tokens')).tokens.find(
      (each) => each.id === id,
    );
    assert.ok(enrol !== undefined);
    const cards = ['52:54:00:12:34:56'];
    const mine = await ownToken(url, other.tokens.enrol, { machine: 'a'.repeat(32), name: 'left', cards });
    const worker = startWorker({ url: other.server.url, token: mine, slots: 1, name: 'left' });
    cleanUp(t, () => worker.stop());
    await ownToken(url, other.tokens.enrol, { machine: 'b'.repeat(32), name: 'right' });
    assert.ok(await worker.joined);
    const machines = async () =>
      (await other.json<{ machines: Record<string, unknown>[] }>('GET', '/v1/boot')).machines;
    const [left, right] = await machines();
    assert.deepEqual(
      [left?.['name'], left?.['cards'], left?.['isShutOut'], typeof left?.['worker']],
      ['left', cards, false, 'string'],
    );
    assert.deepEqual([right?.['name'], right?.['cards'], right?.['worker']], ['right', [], undefined]);
    const wake = async (token: unknown) => (await other.ask('POST', `/v1/boot/machines/${token}/wake`)).status;
    assert.deepEqual(
      [await wake(left?.['token']), await wake(right?.['token']), await wake('nobody')],
      [204, 409, 404],
    );
    await other.json('DELETE', `/v1/tokens/${left?.['token']}`);
    const [gone] = await machines();
    assert.deepEqual([gone?.['isShutOut'], gone?.['worker']], [true, undefined]);
  });

  test('is nobody else’s: its token opens nothing, and whoever guesses gets nothing', async () => {
    const { address } = await made();
    const { token = '' } = configIn((await farm.ask('GET', address, { token: null })).body);
    for (const [method, where] of [
      ['GET', '/v1/jobs'],
      ['POST', '/v1/tokens'],
      ['GET', '/v1/boot'],
    ] as const) {
      const { status, text } = await farm.ask(method, where, {
        token,
        ...(method === 'POST' && jsonBody({ role: 'work' })),
      });
      assert.deepEqual([status, /only swapped for a token/.test(text)], [403, true], where);
    }
    for (const wrong of [
      `/boot/images/${'0'.repeat(32)}/manyhands-x64.iso`,
      address.replace('x64', 'arm64'),
      address.replace('manyhands-x64.iso', 'image.json'),
    ])
      assert.equal((await farm.ask('GET', wrong, { token: null })).status, 404, wrong);
  });

  test('that was not built is told of, with what to do', async () => {
    assert.deepEqual((await bare.json<{ images: unknown[] }>('GET', '/v1/boot')).images, []);
    const { status, text } = await bare.ask('POST', '/v1/boot/images', jsonBody({}));
    assert.deepEqual([status, /make -C os os-image, or serve --boot-images DIR/.test(text)], [404, true]);
  });

  test('whose description is broken, or of which a part is missing, is none', async (t) => {
    const folder = temporaryDirectory(t, 'broken');
    mkdirSync(path.join(folder, 'x64'));
    mkdirSync(path.join(folder, 'arm64'));
    writeFileSync(path.join(folder, 'x64', 'image.json'), '{"version":');
    writeFileSync(
      path.join(folder, 'arm64', 'image.json'),
      JSON.stringify({ version: '1', protocol: 999, configOffset: 5 }),
    );
    const other = await ServedFarm.start(t, { bootImages: folder });
    const { images } = await other.json<{ images: { isCurrent: boolean; hasDisk: boolean }[] }>('GET', '/v1/boot');
    assert.deepEqual(images, [{ architecture: 'arm64', version: '1', isCurrent: false, hasDisk: false, files: {} }]);
  });
});

describe('network boot', () => {
  test('needs nothing but the address of the script', async () => {
    const script = await farm.ask('GET', '/boot/ipxe', { token: null });
    assert.match(script.text, /^#!ipxe\n/);
    assert.ok(script.text.includes(`set base ${farm.server.url}/boot\n`));
    assert.match(script.text, /^kernel .* initrd=initrd initrd=mh\.cpio /m);
    assert.equal((await farm.ask('GET', '/boot/vmlinuz?arch=x64', { token: null })).text, 'a kernel');
    assert.equal((await farm.ask('GET', '/boot/initrd', { token: null })).text, 'all files');
    assert.equal((await farm.ask('GET', '/boot/vmlinuz?arch=arm64', { token: null })).text, 'another kernel');
    assert.equal((await farm.ask('GET', '/boot/initrd?arch=arm64', { token: null })).status, 404);
    const archive = (await farm.ask('GET', '/boot/mh.cpio?arch=x64', { token: null })).body;
    const at = archive.indexOf('# manyhands boot configuration');
    const { server, token = '' } = parseBootConfig(archive.subarray(at, at + BOOT_CONFIG_BYTES));
    assert.deepEqual(server, [farm.server.url]);
    const own = await ownToken(new URL(farm.server.url), token, { machine: 'd'.repeat(32), name: 'booted' });
    assert.equal(((await farm.ask('GET', '/v1/me', { token: own })).json as { role: string }).role, 'work');
  });

  test('is not there unless it is asked for', async () => {
    for (const where of ['/boot/ipxe', '/boot/vmlinuz', '/boot/initrd', '/boot/mh.cpio']) {
      const { status, text } = await bare.ask('GET', where, { token: null });
      assert.deepEqual([status, /serve --netboot/.test(text)], [404, true], where);
    }
  });
});
