import type { JobId, Millis, TaskIndex } from '../../model/ids.ts';
import type { Data } from './data.ts';
import type { Network } from './network.ts';
import type { Observer } from './observer.ts';
import type { Plan } from './plan.ts';
import { Random } from './random.ts';
import type { ServerHost } from './server-host.ts';
import { callOff, type Happening, type World } from './world.ts';

/** Each node tries them in an order of its own. */
export function addressesOf({ stage, random }: Machine): string[] {
  const { length } = stage.hosts;
  const first = length > 1 ? random.whole(0, length - 1) : 0;
  return stage.hosts.map((_, i) => `http://server${(first + i) % length}.simulated/`);
}

/** Of the server at an address. */
export function numberAt(address: string): number {
  return Number(/server(\d+)/.exec(address)?.[1]);
}

/** What all nodes of one simulation share. */
export interface Stage {
  readonly plan: Plan;
  readonly world: World;
  readonly network: Network;
  readonly data: Data;
  /** The machines of the servers. */
  readonly hosts: readonly ServerHost[];
  readonly observer: Observer;
  /** The chaos is over: who misbehaved is good from now on. */
  healed: boolean;
  /** Whoever ends now stays so. */
  over: boolean;
  /** Whether a task that throws at first still does; counts. */
  thrown(job: number, index: number): boolean;
  /** A task has killed this worker (S9). */
  killed(job: JobId, index: TaskIndex, worker: string): void;
}

/** A device: it has a name and a clock that is not quite right. */
export class Machine {
  readonly stage: Stage;
  readonly name: string;
  /** For the hash. */
  readonly who: number;
  readonly random: Random;
  readonly #rate: number;
  readonly #offset: Millis;

  constructor(stage: Stage, name: string, who: number) {
    this.stage = stage;
    this.name = name;
    this.who = who;
    this.random = new Random(stage.plan.seed, name);
    this.#rate = 1 + this.random.between(-1, 1) * stage.plan.drift * 1e-6;
    this.#offset = this.random.between(0, 1e6);
  }

  now(): Millis {
    return this.#offset + this.stage.world.now * this.#rate;
  }
}

/** One process on a device: it can be frozen, and it dies. */
export class Life {
  readonly machine: Machine;
  alive = true;
  /** While it is frozen: what would have happened in it. */
  #held: (() => void)[] | undefined;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** Runs it in the process: now, when it is awake again, or never. */
  inside(run: () => void): void {
    if (!this.alive) return;
    if (this.#held !== undefined) {
      this.#held.push(run);
      return;
    }
    this.machine.stage.world.stir();
    run();
  }

  /** After so many milliseconds of its own clock. */
  after(delay: Millis, run: () => void): Happening {
    return this.machine.stage.world.after(delay, 2 * this.machine.who, () => this.inside(run));
  }

  alarm(delay: Millis, run: () => void): () => void {
    const happening = this.after(delay, run);
    return () => callOff(happening);
  }

  freeze(): void {
    this.#held ??= [];
  }

  thaw(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const run of held) this.inside(run);
  }

  end(): void {
    this.alive = false;
    this.#held = undefined;
  }
}
