import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { Wire } from '../../../test/support/http.ts';
import { waitFor } from '../../../test/support/wait.ts';
import { UPLOAD_RATE } from '../../model/limits.ts';
import { Problem } from '../problem.ts';
import { drained, readJson, readSteadily, writeAll } from './body.ts';

type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** A bare server around one function, whose patience is a test's. What the function throws is its answer. */
async function serve(t: TestContext, handle: Handle): Promise<number> {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      response.writeHead(error instanceof Problem ? error.status : 500);
      response.end(`${(error as Error).message}\n`);
      request.resume();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp(t, () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const head = (length: number) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
const answered = async (wire: Wire) =>
  await waitFor(() => /\r\n\r\n(?:\w+\r\n)?(.+)\n/.exec(wire.text)?.[1], { what: 'an answer' });

test('F-12: a JSON body that takes too long is refused, and its sender hears so', async (t) => {
  const port = await serve(t, async (request) => void (await readJson(request, 300)));
  const wire = await Wire.open(port);
  wire.write(`${head(1_000)}{"a":`);
  const ticking = setInterval(() => wire.write(' '), 20);
  cleanUp(t, () => clearInterval(ticking));
  assert.equal(await answered(wire), 'the body took longer than 0.3 s');
  assert.equal(wire.status, 408);
  assert.ok(wire.isOpen, 'it is told before it is cut');
  wire.close();
});

async function upload(
  t: TestContext,
  grace: number,
): Promise<{ port: number; got: () => number; ended: () => boolean }> {
  let got = 0;
  let over = false;
  const port = await serve(t, async (request, response) => {
    try {
      for await (const part of readSteadily(request, grace)) got += part.length;
    } finally {
      over = true;
    }
    response.end(`${got} bytes\n`);
  });
  return { port, got: () => got, ended: () => over };
}

test('F-12: an upload that is slower than the least rate is refused, one that stands still as well', async (t) => {
  const { port, got } = await upload(t, 1_000);
  for (const bytes of [0, 10]) {
    const wire = await Wire.open(port);
    wire.write(head(1_000_000));
    const trickle = setInterval(() => wire.write('x'.repeat(bytes)), 50);
    assert.equal(await answered(wire), `the upload is slower than ${UPLOAD_RATE} bytes a second`);
    assert.equal(wire.status, 408);
    clearInterval(trickle);
    wire.close();
  }
  assert.ok(got() < UPLOAD_RATE);
});

test('an upload just above the least rate may take as long as it likes', async (t) => {
  const { port } = await upload(t, 500);
  const wire = await Wire.open(port);
  const [piece, pieces] = [UPLOAD_RATE, 20];
  wire.write(head(piece * pieces));
  for (let i = 0; i < pieces; i++) {
    wire.write('x'.repeat(piece));
    await sleep(100);
  }
  assert.equal(await answered(wire), `${piece * pieces} bytes`);
  wire.close();
});

test("time in which nobody reads is not the sender's fault", async (t) => {
  const port = await serve(t, async (request, response) => {
    let got = 0;
    for await (const part of readSteadily(request, 200)) {
      got += part.length;
      // A disk that stalls.
      if (got < 3) await sleep(1_000);
    }
    response.end(`${got} bytes\n`);
  });
  const wire = await Wire.open(port);
  wire.write(head(4));
  for (const letter of 'abcd') {
    wire.write(letter);
    await sleep(20);
  }
  assert.equal(await answered(wire), '4 bytes');
  wire.close();
});

test('a body that is cut off is told to who reads it, not taken for whole', async (t) => {
  const told: string[] = [];
  const port = await serve(t, async (request) => {
    try {
      for await (const _ of readSteadily(request)) {
        // Whatever came.
      }
      told.push('whole');
    } catch (error) {
      told.push((error as Error).message);
    }
  });
  for (const bytes of [
    `${head(10)}12345`,
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n',
  ]) {
    const wire = await Wire.open(port);
    wire.write(bytes);
    await sleep(50);
    wire.close();
  }
  await waitFor(() => told.length === 2, { what: 'both ends' });
  assert.deepEqual(told, ['the body was cut off', 'the body was cut off']);
});

test('who leaves a body early can still answer, and the rest is not kept', async (t) => {
  const port = await serve(t, async (request) => {
    for await (const _ of readSteadily(request)) throw new Problem('invalid', 'the first part is wrong');
  });
  const wire = await Wire.open(port);
  wire.write(head(50_000_000));
  const part = Buffer.alloc(1_000_000);
  for (let i = 0; i < 50; i++) wire.write(part);
  assert.equal(await answered(wire), 'the first part is wrong');
  await waitFor(() => wire.socket.writableLength === 0, { what: 'the rest to be read and dropped' });
  wire.close();
});

test('F-11: a reader that takes nothing is cut, one that takes a little now and then is not', async (t) => {
  const ends: boolean[] = [];
  const port = await serve(t, async (_, response) => {
    async function* parts() {
      for (let i = 0; i < 24; i++) yield Buffer.alloc(1 << 20);
    }
    for await (const part of parts()) {
      if (!response.write(part) && !(await drained(response, 400))) {
        ends.push(false);
        return;
      }
    }
    response.end(() => ends.push(true));
  });
  const stuck = await Wire.open(port);
  stuck.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await waitFor(() => stuck.status === 200, { what: 'the beginning' });
  stuck.socket.pause();
  await waitFor(() => ends.length === 1, { what: 'the cut' });
  assert.deepEqual(ends, [false]);
  stuck.close();
  const slow = await Wire.open(port);
  slow.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  for (let i = 0; i < 30 && ends.length === 1; i++) {
    slow.socket.pause();
    await sleep(100);
    slow.socket.resume();
    await sleep(5);
  }
  await waitFor(() => ends.length === 2, { what: 'the end' });
  assert.deepEqual(ends, [false, true]);
  slow.close();
});

test('an answer whose reader has gone is not written on', async (t) => {
  const ends: boolean[] = [];
  let written = 0;
  const port = await serve(t, async (_, response) => {
    async function* endless() {
      for (;;) {
        written++;
        yield Buffer.alloc(100_000);
      }
    }
    ends.push(await writeAll(response, endless()));
  });
  const wire = await Wire.open(port);
  wire.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await waitFor(() => wire.text.length > 1_000_000, { what: 'some of it' });
  wire.close();
  await waitFor(() => ends.length === 1, { what: 'the end' });
  const before = written;
  await sleep(50);
  assert.deepEqual([ends, written], [[false], before]);
});
