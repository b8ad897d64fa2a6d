// Squares the numbers of each batch. Usage: node hub-worker.ts PORT
import { WebSocket } from 'ws';

const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/worker`, { perMessageDeflate: false });
socket.on('open', () => console.log(JSON.stringify({ ready: true })));
socket.on('close', () => process.exit());
socket.on('message', (data: Buffer) => {
  const { id, inputs } = JSON.parse(data.toString()) as { id: number; inputs: number[] };
  socket.send(JSON.stringify({ id, outputs: inputs.map((i) => i * i) }));
});
