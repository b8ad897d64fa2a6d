import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Stands between a program and its server, and cuts the line at a moment that a test chooses. */
export class DeafProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #pattern: Buffer | undefined;
  #times = 0;
  #silent: Buffer | undefined;

  private constructor(port: number) {
    this.#server = createServer((client) => this.#join(client, connect(port, '127.0.0.1')));
  }

  static async to(port: number): Promise<DeafProxy> {
    const proxy = new DeafProxy(port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What was sent with this text arrives, but nothing of the answer: so many times. */
  loseAnswerTo(text: string, times = 1): void {
    this.#pattern = Buffer.from(text);
    this.#times = times;
  }

  /** What is sent with this text does not arrive, nor anything after it on the same line, which stays open. */
  fallSilentAt(text: string): void {
    this.#silent = Buffer.from(text);
  }

  /** All lines. */
  cut(): void {
    this.#silent = undefined;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, server: Socket): void {
    let isDeaf = false;
    let isSilent = false;
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        // What came last is passed on.
        if (from === client) to.end();
        else to.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      isSilent ||= this.#silent !== undefined && bytes.includes(this.#silent);
      if (isSilent) return;
      if (this.#times > 0 && this.#pattern !== undefined && bytes.includes(this.#pattern)) {
        this.#times -= 1;
        isDeaf = true;
        // Once the server has answered it has done what was asked.
        server.once('data', () => setTimeout(() => client.destroy(), 50));
      }
      server.write(bytes);
    });
    server.on('data', (bytes: Buffer) => {
      if (!isDeaf) client.write(bytes);
    });
  }
}
