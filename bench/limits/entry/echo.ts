// A WebSocket server that sends back what it gets. Prints its port.
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({
  port: 0,
  host: '127.0.0.1',
  perMessageDeflate: false,
  maxPayload: 4 * 1024 * 1024,
});
server.on('listening', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })));
server.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
