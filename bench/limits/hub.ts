import { once } from 'node:events';
import { WebSocket } from 'ws';
import { script } from '../harness/processes.ts';

/** Tasks a second through a hub in memory that keeps nothing: batches of `size`, `window` of them under way. */
export async function hubRate(tasks: number, size: number, window: number): Promise<number> {
  const hub = script(new URL('./entry/hub.ts', import.meta.url));
  const { port } = await hub.line<{ port: number }>();
  const workers = [1, 2].map(() => script(new URL('./entry/hub-worker.ts', import.meta.url), String(port)));
  for (const worker of workers) await worker.line();
  const socket = new WebSocket(`ws://127.0.0.1:${port}/client`, { perMessageDeflate: false });
  await once(socket, 'open');
  const { promise, resolve } = Promise.withResolvers<void>();
  const values: number[] = [];
  const batches = Math.ceil(tasks / size);
  let sent = 0;
  let back = 0;
  const send = (): void => {
    const inputs = Array.from({ length: size }, (_, i) => sent * size + i);
    socket.send(JSON.stringify({ id: sent++, inputs }));
  };
  socket.on('message', (data: Buffer) => {
    const { id, outputs } = JSON.parse(data.toString()) as { id: number; outputs: number[] };
    for (let i = 0; i < size; i++) values[id * size + i] = outputs[i] as number;
    if (++back === batches) resolve();
    else if (sent < batches) send();
  });
  const began = performance.now();
  while (sent < Math.min(window, batches)) send();
  await promise;
  const seconds = (performance.now() - began) / 1_000;
  socket.close();
  await hub.stop();
  await Promise.all(workers.map((worker) => worker.ended));
  return values.length / seconds;
}
