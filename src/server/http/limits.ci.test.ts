import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, Wire } from '../../../test/support/http.ts';
import { jsonBody, ServedFarm } from '../../../test/support/served-farm.ts';
import { waitFor } from '../../../test/support/wait.ts';
import {
  ANSWER_STALL,
  HEADERS_TIME,
  JSON_BODY_TIME,
  KEEP_ALIVE_TIME,
  UPLOAD_GRACE,
  UPLOAD_RATE,
} from '../../model/limits.ts';

/** The real patience of a server, a minute of it: body.test.ts has the same with less. All at once, beside honest work. */
const farm = await ServedFarm.start({ after });
const { port } = farm;
const head = (method: string, path: string, more = '') =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${farm.tokens.submit}\r\n${more}`;

/** Milliseconds until the server closes; `drip` is written again and again meanwhile. */
async function livesFor(wire: Wire, drip: string, every: number): Promise<number> {
  const started = performance.now();
  const dripping = setInterval(() => wire.write(drip), every);
  await wire.end(120_000);
  clearInterval(dripping);
  return performance.now() - started;
}

/** Not before its time, and not much later: the clocks look about once a second. */
function assertAbout(lived: number, time: number): void {
  assert.ok(lived > time - 1_000, `${lived} ms, not ${time}`);
  assert.ok(lived < 2 * time + 15_000, `${lived} ms, not ${time}`);
}

describe('who is slow is cut, whatever at', { concurrency: true }, () => {
  test('T-28: 500 heads that never end, and 500 connections that say nothing', async () => {
    const wires = await Promise.all(Array.from({ length: 1_000 }, () => Wire.open(port)));
    const lives = await Promise.all(
      wires.map((wire, i) => {
        if (i % 2 === 0) wire.write('GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n');
        return livesFor(wire, i % 2 === 0 ? 'X: y\r\n' : '', 1_000);
      }),
    );
    for (const lived of lives) assertAbout(lived, HEADERS_TIME);
    assert.equal(wires.filter(({ status }) => status === 408).length, 1_000);
    assert.match(wires[0]?.text ?? '', /application\/problem\+json/);
  });

  test('F-12: a JSON body that drips', async () => {
    const wire = await Wire.open(port);
    wire.write(head('POST', '/v1/jobs', 'Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{'));
    assertAbout(await livesFor(wire, ' ', 500), JSON_BODY_TIME);
    assert.equal(wire.status, 408);
  });

  test('F-12: uploads of a blob and of inputs at 10 bytes a second; what came of the blob is kept', async () => {
    const sha256 = 'e'.repeat(64);
    const job = await farm.submit({ code: 'export default 1', open: true });
    const blob = await Wire.open(port);
    blob.write(
      head('PUT', `/v1/blobs/${sha256}`, 'Content-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n'),
    );
    const inputs = await Wire.open(port);
    inputs.write(
      head(
        'POST',
        `/v1/jobs/${job}/inputs`,
        'Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n',
      ),
    );
    for (const lived of await Promise.all([
      livesFor(blob, '1234567890', 1_000),
      livesFor(inputs, 'a\r\n123456789\n\r\n', 1_000),
    ])) {
      assertAbout(lived, UPLOAD_GRACE);
    }
    assert.deepEqual([blob.status, inputs.status], [408, 408]);
    const offset = Number((await farm.ask('HEAD', `/v1/blobs/${sha256}`)).headers['upload-offset']);
    assert.ok(offset > 0 && offset < UPLOAD_RATE);
  });

  test('F-11: a reader that takes nothing', async () => {
    const bytes = Buffer.alloc(32 << 20, 'x');
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await farm.ask('PUT', `/v1/blobs/${sha256}`, {
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes,
    });
    const wire = await Wire.open(port);
    wire.write(head('GET', `/v1/blobs/${sha256}`, '\r\n'));
    await waitFor(() => wire.status === 200, { what: 'the beginning' });
    wire.socket.pause();
    const started = performance.now();
    await sleep(ANSWER_STALL - 5_000);
    assert.equal(await ended('/v1/blobs/:sha256'), 0, 'it is given time');
    // What the system took at first counts as taken, so the second look is the one that cuts.
    await waitFor(async () => (await ended('/v1/blobs/:sha256')) === 1, {
      what: 'the cut',
      timeout: 120_000,
      interval: 500,
    });
    assertAbout(performance.now() - started, ANSWER_STALL);
    wire.close();
  });

  test('F-11: a reader of a list that takes nothing, though all of it is written', async () => {
    const requires = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`label ${i}`, '漢'.repeat(250)]));
    for (let i = 0; i < 400; i++) await farm.submit({ code: 'export default 1', inputs: [1], requires });
    const wire = await Wire.open(port);
    wire.write(head('GET', '/v1/jobs?limit=1000', '\r\n'));
    await waitFor(() => wire.status === 200, { what: 'the beginning' });
    wire.socket.pause();
    const started = performance.now();
    await sleep(ANSWER_STALL - 10_000);
    assert.equal(await ended('/v1/jobs'), 0, 'it is given time');
    await waitFor(async () => (await ended('/v1/jobs')) === 1, { what: 'the cut', timeout: 120_000, interval: 500 });
    assertAbout(performance.now() - started, ANSWER_STALL);
    wire.close();
  });

  test('a connection that has shown a token and rests is closed after its keep-alive time', async () => {
    const wire = await Wire.open(port);
    wire.write(head('GET', '/healthz', '\r\n'));
    assertAbout(await livesFor(wire, '', 10_000), KEEP_ALIVE_TIME);
  });

  test('and honest people are served all the while', async () => {
    for (const until = performance.now() + 60_000; performance.now() < until; await sleep(250)) {
      const answer = await ask(port, {
        ...{ method: 'POST', path: '/v1/jobs', token: farm.tokens.admin },
        ...jsonBody({ code: 'export default 1', inputs: [1] }),
      });
      assert.equal(answer.status, 201, answer.text);
    }
  });
});

/** Answers to GET that are over, whether they were taken or cut. */
async function ended(route: string): Promise<number> {
  const { text } = await farm.ask('GET', '/metrics');
  const name = `manyhands_http_request_seconds_count{method="GET",route="${route}",status="200"} `;
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(name))
      ?.slice(name.length) ?? 0,
  );
}
