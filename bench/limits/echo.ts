import { once } from 'node:events';
import { WebSocket } from 'ws';
import { quantileOf } from '../harness/figures.ts';
import { script } from '../harness/processes.ts';

/** A raw `ws` connection to a process of its own. */
async function withEcho<Value>(act: (socket: WebSocket) => Promise<Value>): Promise<Value> {
  const server = script(new URL('./entry/echo.ts', import.meta.url));
  const { port } = await server.line<{ port: number }>();
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false, maxPayload: 4 * 1024 * 1024 });
  await once(socket, 'open');
  try {
    return await act(socket);
  } finally {
    socket.terminate();
    await server.stop();
  }
}

/** Milliseconds of one echo of 100 bytes after another: p50 and p99. */
export function echoLatency(count: number): Promise<{ p50: number; p99: number }> {
  return withEcho(async (socket) => {
    const times: number[] = [];
    for (let i = 0; i < count + 1_000; i++) {
      const began = performance.now();
      socket.send(Buffer.alloc(100));
      await once(socket, 'message');
      if (i >= 1_000) times.push(performance.now() - began);
    }
    return { p50: quantileOf(times, 0.5), p99: quantileOf(times, 0.99) };
  });
}

/** Messages of `bytes` a second, there and back, with `window` under way. */
export function echoRate(count: number, bytes: number, window: number): Promise<number> {
  return withEcho(async (socket) => {
    const message = Buffer.alloc(bytes, 'x');
    const { promise, resolve } = Promise.withResolvers<void>();
    let sent = 0;
    let back = 0;
    socket.on('message', () => {
      if (++back === count) resolve();
      else if (sent < count) {
        sent++;
        socket.send(message);
      }
    });
    const began = performance.now();
    for (; sent < window; sent++) socket.send(message);
    await promise;
    return count / ((performance.now() - began) / 1_000);
  });
}
