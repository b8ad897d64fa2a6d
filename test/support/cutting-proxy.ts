import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { type Cleanup, cleanUp } from './cleanup.ts';

/** Which way bytes go: up to the server, or down from it. */
export type Way = 'up' | 'down';

/** Stands between a server and whoever speaks to it, counts what passes, and can cut a connection at a byte. */
export class CuttingProxy {
  /** Bytes that have passed, and connections that were cut. */
  readonly passed: Record<Way, number> = { up: 0, down: 0 };
  cuts = 0;
  #port = 0;
  readonly #cutAt = new Map<Way, number>();
  readonly #sockets = new Set<Socket>();

  static async start(t: Cleanup, target: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy();
    const server = createServer((near) => {
      const far = connect(target, '127.0.0.1');
      proxy.#join(near, far, 'up');
      proxy.#join(far, near, 'down');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxy.#port = (server.address() as AddressInfo).port;
    cleanUp(t, () => {
      for (const socket of proxy.#sockets) socket.destroy();
      server.close();
    });
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** The connection that carries the byte of this number, counted from now on over all of them, breaks off there, once. */
  cutAfter(bytes: number, way: Way): void {
    this.#cutAt.set(way, this.passed[way] + bytes);
  }

  #join(from: Socket, to: Socket, way: Way): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (bytes: Buffer) => {
      this.passed[way] += bytes.length;
      if (this.passed[way] >= (this.#cutAt.get(way) ?? Infinity)) {
        this.#cutAt.delete(way);
        this.cuts += 1;
        from.destroy();
        to.destroy();
        return;
      }
      if (!to.write(bytes)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
