import { execFileSync } from 'node:child_process';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';
import { type Running, start } from '../support/processes.ts';

let nets = 0;

/**
 * A network of its own behind a router that translates addresses, as at home: to this machine everything in it comes
 * from one address. The line between can be cut without a sound. Needs root, `ip` and `nft`.
 */
export class Lan {
  /** This machine, as those inside reach it. */
  readonly host: string;
  /** The one address that everything inside comes from. */
  readonly outside: string;
  readonly #router: string;
  readonly #inside: string;
  readonly #t: Cleanup;

  constructor(t: Cleanup) {
    this.#t = t;
    // Short names, since those of interfaces hold 15 characters, and new ones each time: the kernel removes them slowly.
    nets += 1;
    const name = `mh${process.pid}n${nets}`;
    const net = (process.pid + nets) % 120;
    const [outer, inner] = [`10.${100 + net}.1`, `10.${100 + net}.2`];
    this.host = `${outer}.1`;
    this.outside = `${outer}.2`;
    this.#router = `${name}r`;
    this.#inside = `${name}i`;
    cleanUp(t, () => this.#remove());
    for (const namespace of [this.#router, this.#inside]) run(`ip netns add ${namespace}`);
    run(`ip link add ${name}a type veth peer name ${name}b netns ${this.#router}`);
    run(`ip address add ${this.host}/24 dev ${name}a`);
    run(`ip link set ${name}a up`);
    this.#routed(`ip address add ${this.outside}/24 dev ${name}b`);
    this.#routed(`ip link set ${name}b up`);
    this.#routed(`ip link add ${name}c type veth peer name ${name}d netns ${this.#inside}`);
    this.#routed(`ip address add ${inner}.1/24 dev ${name}c`);
    this.#routed(`ip link set ${name}c up`);
    this.#routed('sysctl -q -w net.ipv4.ip_forward=1');
    this.#routed(`ip route add default via ${this.host}`);
    this.#routed('nft add table ip lan');
    this.#routed('nft add chain ip lan translate { type nat hook postrouting priority 100 ; }');
    this.#routed(`nft add rule ip lan translate oifname ${name}b masquerade`);
    this.#routed('nft add chain ip lan pass { type filter hook forward priority 0 ; }');
    for (const command of [
      'ip link set lo up',
      `ip address add ${inner}.2/24 dev ${name}d`,
      `ip link set ${name}d up`,
    ]) {
      run(`ip netns exec ${this.#inside} ${command}`);
    }
    run(`ip netns exec ${this.#inside} ip route add default via ${inner}.1`);
  }

  /** What starts a command inside. */
  get command(): string[] {
    return ['ip', 'netns', 'exec', this.#inside];
  }

  /** Starts a command inside. */
  start(command: string[]): Running {
    return start(this.#t, [...this.command, ...command]);
  }

  /** From now on packets vanish, both ways; nobody is told. */
  cut(): void {
    this.#routed('nft add rule ip lan pass drop');
  }

  heal(): void {
    this.#routed('nft flush chain ip lan pass');
  }

  #routed(command: string): void {
    run(`ip netns exec ${this.#router} ${command}`);
  }

  #remove(): void {
    for (const namespace of [this.#inside, this.#router]) run(`ip netns delete ${namespace}`);
  }
}

function run(command: string): void {
  const [program = '', ...args] = command.split(' ');
  execFileSync(program, args);
}
