import type { WebSocket } from 'ws';
import { PING_INTERVAL } from '../model/limits.ts';
import type { Frame } from '../protocol/frames.ts';
import type { Loop } from './loop.ts';
import type { Gateway, Identity, Peer } from './peer.ts';

/**
 * Binds an authorised WebSocket to a gateway: frames, pings, and backpressure both ways — while too much waits for the
 * disk the socket is not read.
 */
export function attachSocket(socket: WebSocket, gateway: Gateway, identity: Identity, loop: Loop): void {
  const peer: Peer = {
    send: (frame) => {
      if (socket.readyState === socket.OPEN) socket.send(frame);
    },
    close: (code, reason) => socket.close(code, reason),
  };
  const connection = gateway.accept(peer, identity);
  const pings = setInterval(() => socket.ping(), PING_INTERVAL);
  let paused = false;
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    const frame: Frame = isBinary ? data : data.toString('utf8');
    connection.receive(frame);
    if (!loop.pressed || paused) return;
    paused = true;
    socket.pause();
    loop.calm(() => {
      paused = false;
      socket.resume();
    });
  });
  socket.on('pong', () => connection.heard());
  socket.on('error', () => socket.terminate());
  socket.on('close', (code: number, reason: Buffer) => {
    clearInterval(pings);
    connection.closed(reason.toString('utf8') || `closed with ${code}`);
  });
}
