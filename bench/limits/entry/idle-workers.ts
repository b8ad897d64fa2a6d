// Workers that have joined and do nothing: the protocol alone, so that what is measured is the server.
// Usage: node idle-workers.ts URL TOKEN COUNT. Prints a line once all are welcome.
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
        key: `idle-worker-number-${i}-${process.pid}`,
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
  socket.once('message', () => {
    if (++welcome === Number(count)) console.log(JSON.stringify({ welcome }));
  });
  socket.on('error', (error) => {
    throw error;
  });
}
