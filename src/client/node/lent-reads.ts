import http from 'node:http';
import net from 'node:net';
import { SOCKET_READ_BYTES } from '../../model/client-limits.ts';

/** One for all connections: what was read into it has been parsed, and copied where it is kept, before the next read. */
const lent = Buffer.allocUnsafeSlow(SOCKET_READ_BYTES);

/**
 * Connections that are read in large pieces into the same memory. Left alone, each 64 KiB that come are new memory
 * twice, and V8 collects the whole heap of the program for every 64 MiB of it.
 */
export class LentReadsAgent extends http.Agent {
  override createConnection(options: http.ClientRequestArgs): net.Socket {
    const callback = (count: number): boolean => {
      socket.emit('data', lent.subarray(0, count));
      return true;
    };
    const socket: net.Socket = net.connect({
      ...(options as net.TcpNetConnectOpts),
      onread: { buffer: lent, callback },
    });
    return socket;
  }
}

/** Gives the memory of a piece of a body back now, where the collector would find it later. */
export function giveBack({ buffer, length }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length && buffer !== lent.buffer) buffer.transfer(0);
}
