// Workers that have joined and do nothing: the protocol alone, so that what is measured is the server.
// Usage: node idle-workers.ts URL TOKEN COUNT. Prints a line once all are welcome.
import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { PROTOCOL } from '../../../src/protocol/version.ts';

const [url = '', token = '', count = '0'] = process.argv.slice(2);
let welcome = 0;
for (let i = 0; i < Number(count); i++) {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/worker`, 'manyhands.v1', {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  socket.on('open', () =>
    socket.send(
      JSON.stringify({
        kind: 'hello',
        protocol: PROTOCOL,
        key: randomBytes(16).toString('hex'),
        name: `idle ${i}`,
        device: 'node',
        slots: 1,
        runners: ['js'],
        labels: {},
        resources: {},
        held: [],
      }),
    ),
  );
  socket.once('message', (bytes) => {
    const message = JSON.parse(String(bytes)) as { kind: string };
    if (message.kind !== 'welcome') throw new Error(`not welcome: ${String(bytes)}`);
    if (++welcome === Number(count)) console.log(JSON.stringify({ welcome }));
  });
  socket.on('error', (error) => {
    throw error;
  });
  socket.on('close', (code, reason) => {
    throw new Error(`cut off with ${code}: ${reason}`);
  });
}
