import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { FarmServers } from '../../protocol/farm-servers.ts';
import { FarmError } from '../farm-error.ts';
import { HttpBlobs } from './http-blobs.ts';

const MiB = 1024 * 1024;

type Answer = (response: http.ServerResponse, bytes: Buffer) => void;

const whole: Answer = (response, bytes) => {
  response.writeHead(200, { 'content-length': bytes.length });
  response.end(bytes);
};
const cut: Answer = (response, bytes) => {
  response.writeHead(200, { 'content-length': bytes.length });
  response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
};
const short: Answer = (response, bytes) => response.end(bytes.subarray(1));
const long: Answer = (response, bytes) => response.end(Buffer.concat([bytes, bytes]));
const changed: Answer = (response, bytes) => {
  const other = Buffer.from(bytes);
  other[7]! ^= 1;
  response.end(other);
};
const refused: Answer = (response) => {
  response.writeHead(404, { 'content-type': 'application/problem+json' });
  response.end('{"detail":"it is not here"}');
};

/** A server that answers in one way after the other, the last one for ever. */
async function serve(t: Parameters<typeof cleanUp>[0], bytes: Buffer, ...answers: Answer[]) {
  let connections = 0;
  const server = http.createServer((_, response) => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(response, bytes);
  });
  server.on('connection', () => connections++);
  server.listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const blobs = new HttpBlobs(
    new FarmServers([{ address: new URL(`http://localhost:${port}/`).href, token: 'token' }]),
  );
  cleanUp(t, () => {
    blobs.close();
    server.close();
    server.closeAllConnections();
  });
  return { blobs, connections: () => connections };
}

const ref = (bytes: Buffer) => ({ sha256: hash('sha256', bytes), size: bytes.length });

test('a blob that came in part, or with too much, is fetched again, and never handed over', async (t) => {
  const bytes = randomBytes(3 * MiB);
  for (const first of [cut, short, long]) {
    const { blobs } = await serve(t, bytes, first, whole);
    assert.ok(bytes.equals(await blobs.get(ref(bytes))), first.name);
  }
});

test('T-24: a blob whose bytes were changed on their way is fetched again, and refused when it is changed again', async (t) => {
  for (const size of [100, 9 * MiB]) {
    const bytes = randomBytes(size);
    const once = await serve(t, bytes, changed, whole);
    assert.ok(bytes.equals(await once.blobs.get(ref(bytes))));
    const always = await serve(t, bytes, changed);
    await assert.rejects(
      always.blobs.get(ref(bytes)),
      (error) => error instanceof FarmError && error.code === 'damaged',
    );
  }
});

test('blobs that come at the same time, in pieces of one memory, do not mix; few connections carry all', async (t) => {
  const sent = Array.from({ length: 24 }, (_, i) => randomBytes(MiB + i));
  const names = sent.map(ref);
  const byName: Answer = (response) => {
    const asked = response.req.url?.split('/').at(-1);
    whole(response, sent[names.findIndex(({ sha256 }) => sha256 === asked)] ?? Buffer.alloc(0));
  };
  const { blobs, connections } = await serve(t, Buffer.alloc(0), byName);
  const got = await Promise.all(names.map((name) => blobs.get(name)));
  got.forEach((bytes, i) => void assert.ok(sent[i]?.equals(bytes), `blob ${i}`));
  assert.ok(connections() <= 4, `${connections()} connections`);
});

test('a refusal is told in the words of the server', async (t) => {
  const { blobs } = await serve(t, Buffer.alloc(1), refused);
  await assert.rejects(blobs.get({ sha256: 'a'.repeat(64), size: 1 }), (error) => {
    assert.ok(error instanceof FarmError);
    assert.equal(error.code, 'unknown');
    assert.match(error.message, /it is not here/);
    return true;
  });
});
