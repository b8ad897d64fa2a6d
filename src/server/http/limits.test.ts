import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDirectory } from '../../../test/support/directories.ts';
import { ask, Wire } from '../../../test/support/http.ts';
import { manyhands, start } from '../../../test/support/processes.ts';
import { jsonBody, ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import { FAILED_ATTEMPTS, RESERVED_DESCRIPTORS, STRANGERS_PER_ADDRESS } from '../../model/limits.ts';

const farm = await ServedFarm.start({ after });
const { port } = farm;

/** Every address of 127/8 is one of this machine's there, and a shell limits descriptors. */
const onlyLinux = process.platform === 'linux' ? {} : { skip: 'one loopback address cannot be several machines here' };

test(
  'T-27: from one address ten wrong tokens a minute are answered, further ones told to wait; right ones are served',
  onlyLinux,
  async () => {
    const from = '127.9.0.1';
    const wrong = (token = `mh_${'x'.repeat(43)}`) => ask(port, { path: '/v1/jobs', token, from });
    for (let i = 0; i < FAILED_ATTEMPTS; i++) assert.equal((await wrong()).status, 401, `${i}`);
    for (const token of [undefined, 'short', farm.tokens.admin.slice(0, -1)]) {
      const { status, headers, json } = await wrong(token);
      assert.equal(status, 429);
      const seconds = Number(headers['retry-after']);
      assert.ok(seconds > 0 && seconds <= 60, `${headers['retry-after']}`);
      assert.match(
        (json as { detail: string }).detail,
        new RegExp(`too many wrong ones came from this address: wait ${seconds} s$`),
      );
      assert.equal(headers.connection, 'close');
    }
    const ticket = await ask(port, { path: '/v1/jobs/1/results?ticket=wrong', from });
    assert.equal(ticket.status, 429);
    assert.equal((await ask(port, { path: '/v1/jobs', from })).status, 401, 'none at all is no guess');
    assert.equal((await ask(port, { path: '/v1/jobs', token: farm.tokens.read, from })).status, 200);
    assert.equal(
      (await ask(port, { path: '/v1/jobs', token: 'wrong', from: '127.9.0.2' })).status,
      401,
      'another address',
    );
  },
);

test(
  'T-28: strangers may fill their own address, not those of others, and not that of who has shown a token',
  onlyLinux,
  async () => {
    const from = '127.9.0.3';
    const known = await Promise.all(Array.from({ length: 20 }, () => Wire.open(port, { from })));
    for (const wire of known)
      wire.write(`GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${farm.tokens.read}\r\n\r\n`);
    await waitFor(() => known.every(({ status }) => status === 200), { what: 'those with a token' });
    const strangers: Wire[] = [];
    for (let left = STRANGERS_PER_ADDRESS; left > 0; left -= 128) {
      strangers.push(
        ...(await Promise.all(Array.from({ length: Math.min(left, 128) }, () => Wire.open(port, { from })))),
      );
    }
    const late = await Wire.open(port, { from });
    await late.end();
    assert.equal(late.text, '', 'one more is cut at once');
    assert.ok(
      strangers.every(({ isOpen }) => isOpen),
      'the others are not',
    );
    const other = await ask(port, { path: '/healthz', from: '127.9.0.4' });
    assert.equal(other.status, 200);
    const [first] = known;
    first?.write(`GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${farm.tokens.read}\r\n\r\n`);
    await waitFor(() => (first?.text.match(/HTTP\/1\.1 200/g)?.length ?? 0) === 2, { what: 'another answer' });
    strangers.pop()?.close();
    await waitFor(async () => {
      const again = await Wire.open(port, { from });
      await sleep(20);
      strangers.push(again);
      return again.isOpen;
    });
    for (const wire of [...known, ...strangers]) wire.close();
  },
);

test(
  'F-35: when descriptors run out new sockets are refused, and those that are there are served',
  onlyLinux,
  async (t) => {
    const dataDir = temporaryDirectory(t, 'few');
    const descriptors = 160;
    const script = `ulimit -n ${descriptors}; exec "$@"`;
    const serve = ['serve', '--port', '0', '--data', dataDir, '--json'];
    const running = start(t, ['sh', '-c', script, 'sh', ...manyhands, ...serve]);
    const [line] = await running.output(/\{"url".*\}/);
    const { url, dashboardUrl } = JSON.parse(line) as { url: string; dashboardUrl: string };
    const few = Number(new URL(url).port);
    const token = new URL(dashboardUrl).hash.slice(1);
    const honest = await ask(few, { path: '/v1/jobs', token });
    assert.equal(honest.status, 200);
    const wires = await Promise.all(
      Array.from({ length: descriptors + 40 }, () => Wire.open(few, { from: '127.9.0.5' })),
    );
    await waitFor(() => wires.filter(({ isOpen }) => isOpen).length <= descriptors - RESERVED_DESCRIPTORS, {
      what: 'the refusals',
    });
    assert.ok(wires.filter(({ isOpen }) => isOpen).length > 40, 'many were taken');
    // Over the connection that was there before: work for the store, for blobs, for files.
    const code = `export default 1; // ${'x'.repeat(300_000)}`;
    for (let i = 0; i < 5; i++) {
      const body = jsonBody({ code: code + i, inputs: ['y'.repeat(100_000), 1] });
      const answer = await ask(few, { method: 'POST', path: '/v1/jobs', token, ...body });
      assert.equal(answer.status, 201, answer.text);
    }
    for (const wire of wires) wire.close();
    await waitFor(async () => {
      const wire = await Wire.open(few);
      await sleep(20);
      const open = wire.isOpen;
      wire.close();
      return open;
    });
    assert.doesNotMatch(running.stderr, /EMFILE/);
  },
);
