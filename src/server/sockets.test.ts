import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { cleanUp } from '../../test/support/cleanup.ts';
import { ModelClock } from '../../test/support/model-clock.ts';
import { waitFor } from '../../test/support/wait.ts';
import {
  FIRST_PING,
  FRAME_BYTES,
  LEASE_TIME,
  OUTGOING_BYTES,
  OUTGOING_BYTES_MOST,
  PING_INTERVAL,
  STOP_TIME,
} from '../model/limits.ts';
import type { Frame } from '../protocol/frames.ts';
import type { Loop } from './loop.ts';
import type { Connection, Peer } from './peer.ts';
import { attachSocket, FarmSocket } from './sockets.ts';

/** A gateway that does what the test wants, between real sockets and a clock that the test moves. */
class Bench {
  readonly clock = new ModelClock();
  readonly received: Frame[] = [];
  readonly told: string[] = [];
  readonly roundTrips: number[] = [];
  /** What `receive` returns. */
  turn: Promise<void> | undefined;
  pressed = false;
  calmed: (() => void)[] = [];
  peer!: Peer;
  client!: WebSocket;
  tcp!: Socket;
  serverSocket!: WebSocket;
  #waits = false;

  /** `waits`: it holds back what can wait, as clients' results. */
  static async open(t: TestContext, options: { waits?: boolean; autoPong?: boolean } = {}): Promise<Bench> {
    const bench = new Bench();
    bench.#waits = options.waits ?? false;
    const http = createServer();
    const sockets = new WebSocketServer({ server: http, WebSocket: FarmSocket, maxPayload: FRAME_BYTES });
    cleanUp(t, () => http.close());
    cleanUp(t, () => http.closeAllConnections());
    sockets.on('connection', (socket) => bench.#attach(socket));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`, {
      autoPong: options.autoPong ?? true,
    });
    client.on('error', () => {});
    client.on('upgrade', (response) => {
      bench.tcp = response.socket;
    });
    cleanUp(t, () => client.terminate());
    await new Promise<void>((resolve) => client.on('open', () => resolve()));
    bench.client = client;
    await waitFor(() => bench.peer !== undefined);
    return bench;
  }

  #attach(socket: WebSocket): void {
    this.serverSocket = socket;
    const connection: Connection = {
      receive: (frame) => {
        this.received.push(frame);
        return this.turn;
      },
      heard: (roundTrip) => {
        this.told.push('heard');
        if (roundTrip !== undefined) this.roundTrips.push(roundTrip);
      },
      tooLarge: () => this.told.push('too large'),
      closed: (reason) => this.told.push(`closed ${reason}`),
      ...(this.#waits ? { drained: () => this.told.push('drained') } : {}),
    };
    const gateway = {
      accept: (peer: Peer) => {
        this.peer = peer;
        return connection;
      },
    };
    const loop = { pingEvery: PING_INTERVAL, calm: (run: () => void) => this.calmed.push(run) };
    Object.defineProperty(loop, 'pressed', { get: () => this.pressed });
    attachSocket(socket, gateway, { token: 't', role: 'work' }, { loop: loop as unknown as Loop, clock: this.clock });
  }
}

test('P13: a peer that answers pings stays, however long it says nothing', async (t) => {
  const bench = await Bench.open(t);
  for (let i = 0; i < 10; i++) {
    const before = bench.told.length;
    await bench.clock.advance(PING_INTERVAL);
    await waitFor(() => bench.told.length > before, { what: 'a pong' });
  }
  assert.ok(bench.told.every((what) => what === 'heard'));
});

test('R21: the first ping comes early, and what its pong took is told, once', async (t) => {
  const bench = await Bench.open(t, { autoPong: false });
  const pinged = once(bench.client, 'ping');
  await bench.clock.advance(FIRST_PING);
  await pinged;
  await bench.clock.advance(70);
  bench.client.pong();
  await waitFor(() => bench.told.length === 1, { what: 'a pong' });
  assert.deepEqual(bench.roundTrips, [70]);
  bench.client.pong();
  await waitFor(() => bench.told.length === 2, { what: 'a pong that nobody asked for' });
  assert.deepEqual(bench.roundTrips, [70]);
});

test('P13 F-9: a peer that is silent is cut once its time is up, and its descriptor is free', async (t) => {
  const bench = await Bench.open(t, { autoPong: false });
  await bench.clock.advance(2 * PING_INTERVAL);
  assert.deepEqual(bench.told, []);
  await bench.clock.advance(PING_INTERVAL);
  await waitFor(() => bench.told.length > 0, { what: 'the end' });
  assert.deepEqual(bench.told, ['closed closed with 1006']);
  assert.ok(3 * PING_INTERVAL >= LEASE_TIME);
  assert.equal(bench.clock.alarms, 0, 'no ping is planned any more');
});

test('P13: any word is a sign of life', async (t) => {
  const bench = await Bench.open(t, { autoPong: false });
  for (let i = 1; i <= 8; i++) {
    await bench.clock.advance(PING_INTERVAL);
    if (i % 2 === 0) bench.client.ping();
    else bench.client.send('{}');
    await waitFor(() => bench.received.length + bench.told.length >= i, { what: 'a word' });
  }
  assert.equal(bench.serverSocket.readyState, WebSocket.OPEN);
});

test('P13 P22 F-23: who is not read because the disk stalls is not taken for dead', async (t) => {
  const bench = await Bench.open(t, { autoPong: false });
  bench.pressed = true;
  bench.client.send('1');
  await waitFor(() => bench.received.length === 1);
  assert.ok(bench.serverSocket.isPaused);
  bench.client.send('2');
  await bench.clock.advance(10 * PING_INTERVAL);
  assert.equal(bench.serverSocket.readyState, WebSocket.OPEN);
  assert.equal(bench.received.length, 1, 'nothing more was read');
  assert.ok(bench.told.every((what) => what === 'heard') && bench.told.length > 5, 'its leases live on');
  bench.pressed = false;
  assert.equal(bench.calmed.length, 1);
  bench.calmed[0]?.();
  await waitFor(() => bench.received.length === 2, { what: 'the rest' });
});

test('a socket is not read while what came from it is being dealt with', async (t) => {
  const bench = await Bench.open(t);
  const turn = Promise.withResolvers<void>();
  bench.turn = turn.promise;
  bench.client.send('1');
  await waitFor(() => bench.received.length === 1);
  bench.turn = undefined;
  bench.client.send('2');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(bench.received.length, 1);
  turn.resolve();
  await waitFor(() => bench.received.length === 2);
});

test('P22 F-11: who does not take what it asked for is not read, is told when there is room, and loses nothing', async (t) => {
  const bench = await Bench.open(t, { waits: true });
  let taken = 0;
  bench.client.on('message', (data: Buffer) => {
    taken += data.length;
  });
  bench.tcp.pause();
  const frame = new Uint8Array(1 << 20);
  let sent = 0;
  while (bench.peer.full !== true) {
    bench.peer.send(frame);
    sent += frame.length;
    assert.ok(sent < 8 * OUTGOING_BYTES, 'it never got full');
  }
  assert.ok(bench.serverSocket.isPaused);
  assert.ok(bench.serverSocket.bufferedAmount < OUTGOING_BYTES + 2 * frame.length);
  bench.tcp.resume();
  await waitFor(() => bench.told.includes('drained'), { what: 'room' });
  assert.equal(bench.peer.full, false);
  assert.equal(bench.serverSocket.isPaused, false);
  await waitFor(() => taken === sent, { what: 'all of it' });
});

test('P22 F-11: a peer that can hold nothing back is cut at the bound', async (t) => {
  const bench = await Bench.open(t);
  bench.tcp.pause();
  const frame = new Uint8Array(1 << 20);
  let sent = 0;
  while (bench.serverSocket.readyState === WebSocket.OPEN) {
    bench.peer.send(frame);
    sent += frame.length;
    assert.ok(sent < 4 * OUTGOING_BYTES_MOST, 'it was never cut');
  }
  assert.equal(bench.serverSocket.isPaused, false, 'a worker is heard all the time');
  await waitFor(() => bench.told.some((what) => what.startsWith('closed')));
});

test('P20 F-7: a frame that is too large is told to the gateway before the socket closes with 1009', async (t) => {
  const bench = await Bench.open(t);
  const closed = new Promise<[number, string]>((resolve) =>
    bench.client.on('close', (code, reason) => resolve([code, reason.toString()])),
  );
  bench.client.send(new Uint8Array(FRAME_BYTES + 1));
  const [code, reason] = await closed;
  assert.equal(code, 1009);
  assert.match(reason, /larger than a frame may be/);
  assert.equal(bench.told[0], 'too large');
});

test('a reason that is longer than a close frame holds is cut between letters', async (t) => {
  const bench = await Bench.open(t);
  const closed = new Promise<string>((resolve) => bench.client.on('close', (_, reason) => resolve(reason.toString())));
  bench.peer.close(4400, `x${'漢'.repeat(60)}`);
  assert.equal(await closed, `x${'漢'.repeat(39)}`);
});

test('who does not answer a close is cut when the time to stop is up', async (t) => {
  const bench = await Bench.open(t);
  bench.tcp.pause();
  bench.peer.close(1001, 'enough');
  await bench.clock.advance(STOP_TIME - 1);
  assert.equal(bench.serverSocket.readyState, WebSocket.CLOSING);
  await bench.clock.advance(1);
  await waitFor(() => bench.told.some((what) => what.startsWith('closed')), { what: 'the end' });
  assert.equal(bench.clock.alarms, 0);
});
