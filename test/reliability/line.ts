import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';

/** An address behind which one program stands, then another, or nobody. It counts who comes. */
export class Line {
  /** Connections so far. */
  accepted = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  /** The port of the program; undefined: whoever comes is cut off. */
  #target: number | undefined;

  private constructor() {
    this.#server = createServer((near) => {
      this.accepted += 1;
      if (this.#target === undefined) return void near.destroy();
      const far = connect(this.#target, '127.0.0.1');
      this.#join(near, far);
      this.#join(far, near);
    });
  }

  static async start(t: Cleanup, target?: number): Promise<Line> {
    const line = new Line();
    line.#target = target;
    await new Promise<void>((resolve) => line.#server.listen(0, '127.0.0.1', resolve));
    cleanUp(t, () => {
      line.lead(undefined);
      line.#server.close();
    });
    return line;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on it leads there; who is on it is cut off. */
  lead(target: number | undefined): void {
    this.#target = target;
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}
