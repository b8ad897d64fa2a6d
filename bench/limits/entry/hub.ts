// A hub without a disk: it passes batches from a client to two workers in turn, and what they answer back.
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
const workers: WebSocket[] = [];
let client: WebSocket | undefined;
let turn = 0;
server.on('listening', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })));
server.on('connection', (socket, request) => {
  if (request.url === '/worker') {
    workers.push(socket);
    socket.on('message', (data: Buffer) => client?.send(JSON.stringify(JSON.parse(data.toString()))));
  } else {
    client = socket;
    socket.on('message', (data: Buffer) => {
      const batch: unknown = JSON.parse(data.toString());
      workers[turn++ % workers.length]?.send(JSON.stringify(batch));
    });
  }
});
