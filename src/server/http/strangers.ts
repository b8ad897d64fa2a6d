import type { Socket } from 'node:net';
import { STRANGERS_PER_ADDRESS } from '../../model/limits.ts';
import { networkOf } from '../auth/failed-attempts.ts';

/** Connections of each address that have not shown a valid token yet. (T-28) */
export class Strangers {
  readonly #counts = new Map<string, number>();
  readonly #strange = new WeakMap<Socket, string>();

  arrived(socket: Socket): void {
    const network = networkOf(socket.remoteAddress ?? '');
    const count = (this.#counts.get(network) ?? 0) + 1;
    if (count > STRANGERS_PER_ADDRESS) {
      socket.destroy();
      return;
    }
    this.#counts.set(network, count);
    this.#strange.set(socket, network);
    socket.once('close', () => this.known(socket));
  }

  known(socket: Socket): void {
    const network = this.#strange.get(socket);
    if (network === undefined) return;
    this.#strange.delete(socket);
    const left = (this.#counts.get(network) ?? 1) - 1;
    if (left === 0) this.#counts.delete(network);
    else this.#counts.set(network, left);
  }
}
