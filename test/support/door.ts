import type { Cleanup } from './cleanup.ts';
import { freePort } from './free-port.ts';
import { type Running, start } from './processes.ts';

const PASS_ON = `
  const net = require('node:net');
  const [host, port, target] = process.argv.slice(1);
  net.createServer((near) => {
    const far = net.connect(Number(target), '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]]) {
      from.setNoDelay(true);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  }).listen(Number(port), host, () => console.log('open'));
`;

/** One more way to a server, in a process of its own, that can be killed or stopped as a server would be. */
export class Door {
  readonly running: Running;
  readonly port: number;

  private constructor(running: Running, port: number) {
    this.running = running;
    this.port = port;
  }

  static async open(t: Cleanup, target: number, { host = '127.0.0.1', port = 0 } = {}): Promise<Door> {
    const own = port === 0 ? await freePort(host) : port;
    const running = start(t, [process.execPath, '-e', PASS_ON, host, String(own), String(target)]);
    await running.output(/open/);
    return new Door(running, own);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async kill(): Promise<void> {
    this.running.signal('SIGKILL');
    await this.running.exited;
  }
}
