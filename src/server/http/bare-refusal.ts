import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { Problem } from '../problem.ts';

/** An answer on a connection that has no request any more, or none yet, and its end. */
export function refuse(socket: Duplex, problem: Problem): void {
  const text = `${JSON.stringify(problem.body)}\n`;
  const headers = {
    ...problem.headers,
    connection: 'close',
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${lines.join('')}\r\n${text}`, () =>
    socket.destroy(),
  );
}

/** What is not HTTP is told so and cut; so is a head that takes too long, or is too long. */
export function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    refuse(socket, new Problem('timeout', 'the request took too long'));
  else if (error.code === 'HPE_HEADER_OVERFLOW') refuse(socket, new Problem('headers', 'the headers are too large'));
  else refuse(socket, new Problem('invalid', 'this is not HTTP/1.1'));
}
