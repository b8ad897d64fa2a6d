import { execFileSync } from 'node:child_process';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';
import { type Running, type StartOptions, start } from '../support/processes.ts';

let stars = 0;

/** A machine of a {@link Star}. */
export interface Place {
  readonly address: string;
  /** What starts a command there. */
  readonly command: readonly string[];
}

/**
 * Machines around one router, each a network namespace with a line of its own; this machine is one of them. What any two
 * say to each other can be cut without a sound. Needs root, `ip` and `nft`.
 */
export class Star {
  /** This machine, as the others reach it. */
  readonly here: Place;
  /** All of them: `10.0.0.0/8`. */
  readonly addresses: string;
  readonly #t: Cleanup;
  readonly #name: string;
  readonly #net: string;
  readonly #router: string;
  readonly #namespaces: string[] = [];
  #lines = 0;

  constructor(t: Cleanup) {
    this.#t = t;
    stars += 1;
    // Short names, since those of interfaces hold 15 characters. The addresses are none of those of a `Lan`.
    this.#name = `ms${process.pid}n${stars}`;
    this.#net = `10.${100 + ((process.pid + stars) % 120)}`;
    this.addresses = `${this.#net}.16.0/20`;
    this.#router = `${this.#name}r`;
    cleanUp(t, () => {
      for (const namespace of this.#namespaces) run(`ip netns delete ${namespace}`);
    });
    this.#add(this.#router);
    this.#routed('sysctl -q -w net.ipv4.ip_forward=1');
    this.#routed('nft add table ip star');
    this.#routed('nft add chain ip star pass { type filter hook forward priority 0 ; }');
    this.here = this.#connect(undefined);
  }

  /** One more machine. */
  place(): Place {
    const namespace = `${this.#name}p${this.#namespaces.length}`;
    this.#add(namespace);
    return this.#connect(namespace);
  }

  /** Starts a command there. */
  start(place: Place, command: readonly string[], options?: StartOptions): Running {
    return start(this.#t, [...place.command, ...command], options);
  }

  /** From now on packets between these and those vanish, both ways; nobody is told. */
  cut(these: readonly Place[], those: readonly Place[]): void {
    const [left, right] = [these, those].map((places) => `{ ${places.map(({ address }) => address).join(', ')} }`);
    for (const [from, to] of [
      [left, right],
      [right, left],
    ]) {
      this.#routed(`nft add rule ip star pass ip saddr ${from} ip daddr ${to} drop`);
    }
  }

  heal(): void {
    this.#routed('nft flush chain ip star pass');
  }

  #connect(namespace: string | undefined): Place {
    const line = this.#lines++;
    const [inner, outer] = [`${this.#name}a${line}`, `${this.#name}b${line}`];
    const [address, router] = [`${this.#net}.${16 + line}.2`, `${this.#net}.${16 + line}.1`];
    const command = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace];
    const there = (words: string) => run([...command, words].join(' '));
    this.#routed(`ip link add ${outer} type veth peer name ${inner} netns ${namespace ?? process.pid}`);
    this.#routed(`ip address add ${router}/24 dev ${outer}`);
    this.#routed(`ip link set ${outer} up`);
    there(`ip address add ${address}/24 dev ${inner}`);
    there(`ip link set ${inner} up`);
    there(`ip route add ${this.addresses} via ${router}`);
    return { address, command };
  }

  #add(namespace: string): void {
    run(`ip netns add ${namespace}`);
    this.#namespaces.push(namespace);
    run(`ip netns exec ${namespace} ip link set lo up`);
  }

  #routed(command: string): void {
    run(`ip netns exec ${this.#router} ${command}`);
  }
}

function run(command: string): void {
  const [program = '', ...args] = command.split(' ');
  execFileSync(program, args);
}
