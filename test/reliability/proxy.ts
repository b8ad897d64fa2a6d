import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';

/** Stands between a worker and its server, passes bytes on as they are, and counts connections. */
export class CountingProxy {
  /** Connections accepted so far. */
  accepted = 0;
  #port = 0;
  readonly #sockets = new Set<Socket>();

  static async start(t: Cleanup, target: number): Promise<CountingProxy> {
    const proxy = new CountingProxy();
    const server = createServer((near) => {
      proxy.accepted += 1;
      const far = connect(target, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        proxy.#sockets.add(from);
        from.setNoDelay(true);
        from.pipe(to);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          proxy.#sockets.delete(from);
          to.destroy();
        });
      }
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
}
