import type { Millis } from '../../model/ids.ts';
import { SERVER_LEASE } from '../../model/server-limits.ts';
import type { Decoded, Frame } from '../../protocol/frames.ts';
import type { ServerToWorker } from '../../protocol/worker-messages.ts';
import type { Change as FeedChange } from '../../scheduler/commands.ts';
import { StoreError } from '../../store/store.ts';
import { type Data, WALL } from './data.ts';
import type { Link } from './link.ts';
import type { Network } from './network.ts';
import type { Observer } from './observer.ts';
import type { CrashSite, Plan } from './plan.ts';
import { Random } from './random.ts';
import { ServerProcess, type Surroundings } from './server-process.ts';
import type { Change } from './watched-store.ts';
import type { World } from './world.ts';

/** Milliseconds until a supervisor starts a server again that ended by itself. */
const SUPERVISOR_PAUSE = 1_000;
/** Milliseconds that a server has to stop by itself, before it is killed. */
const STOP_PATIENCE = 10_000;

export interface CrashOrder {
  readonly site: CrashSite;
  left: number;
  readonly down: Millis;
  readonly applied: boolean;
}

interface Flying {
  readonly process: ServerProcess;
  readonly change: Change;
  readonly apply: () => void;
}

/** The machine of a server: its clock, and one process after the other. */
export class ServerHost implements Surroundings {
  readonly world: World;
  readonly data: Data;
  readonly collectEvery: Millis;
  /** Its own clock for each millisecond. */
  readonly rate: number;
  /** For the trace. */
  readonly name: string;
  process: ServerProcess | undefined;
  /** Added to the time of day, by who set the clock. */
  wallStep: Millis = 0;
  /** Hears what the feed would. */
  changed: (change: FeedChange) => void = () => {};
  readonly #network: Network;
  readonly #observer: Observer;
  readonly #random: Random;
  #lives = 0;
  readonly #number: number;
  #order: CrashOrder | undefined;
  #break: { applied: boolean } | undefined;
  #flying: Flying | undefined;
  #zombie: ServerProcess | undefined;

  constructor(parts: { world: World; network: Network; observer: Observer; plan: Plan; data: Data; number: number }) {
    const { world, network, observer, plan, data, number } = parts;
    this.world = world;
    this.data = data;
    this.#network = network;
    this.#observer = observer;
    this.#number = number;
    this.name = data.shared ? `server${number}` : 'server ';
    this.#random = new Random(plan.seed, number === 0 ? 'server' : `server ${number}`);
    this.rate = data.shared ? 1 + this.#random.between(-1, 1) * plan.drift * 1e-6 : 1;
    this.collectEvery = plan.collectEvery;
  }

  wall(): number {
    return WALL + this.world.now + this.wallStep;
  }

  boot(): void {
    this.#lives += 1;
    this.data.disk.holder = undefined;
    const process = new ServerProcess(this, this.#lives);
    this.process = process;
    this.#network.hosts[this.#number] = process;
    this.world.note(() => `${this.name} starts for the ${this.#lives}. time`);
    if (this.#lives > 1) this.world.sometimes('the server started again');
    process.start();
  }

  crash(down: Millis, applied: boolean): void {
    const { process } = this;
    if (process === undefined) return;
    if (!process.listens && process.alive) this.world.sometimes('crash before the server listened');
    this.#kill(process, applied);
    this.world.note(() => `${this.name} dies, back in ${Math.round(down)} ms`);
    this.#restartIn(down);
  }

  crashAt(order: CrashOrder): void {
    if (order.site === 'now') this.crash(order.down, order.applied);
    else this.#order = order;
  }

  /** It is told to stop, as for an upgrade (F-43). */
  restart(down: Millis): void {
    const { process } = this;
    if (process === undefined || !process.listens || process.paused) return;
    this.world.sometimes('the server stopped when it was told to');
    this.world.note(() => `${this.name} is told to stop`);
    const gone = () => {
      if (!process.alive) return;
      const current = this.process === process;
      this.#kill(process, true);
      if (current) this.#restartIn(down);
    };
    this.world.stir();
    process.stop().then(gone, gone);
    this.world.after(STOP_PATIENCE, 1, gone);
  }

  freeze(pause: Millis): void {
    const { process } = this;
    if (process === undefined || !process.listens) return;
    process.pause();
    this.world.note(() => `${this.name} sleeps for ${Math.round(pause)} ms`);
    this.world.after(pause, 1, () => {
      if (process.alive && process.paused && process !== this.#zombie) process.resume();
      this.world.sometimes('the server slept');
    });
  }

  /** The process is paused, another one is started on the same data, and the first wakes after a while (F-41). */
  replaceByAnother(pause: Millis): void {
    // Where others share the store they are the ones that take over.
    if (this.data.shared) return this.freeze(SERVER_LEASE + 2_000 + pause);
    const old = this.process;
    if (old === undefined || !old.listens || old.paused) return;
    old.pause();
    this.#zombie = old;
    this.world.note(() => `${this.name} is paused for ${Math.round(pause)} ms, another takes over`);
    this.boot();
    this.world.after(pause, 1, () => {
      if (!old.alive) return;
      this.world.sometimes('a paused server woke up after another took over');
      old.resume();
    });
    // It may have nothing to write, and then never notices: somebody does.
    this.world.after(pause + 60_000, 1, () => this.#kill(old, false));
  }

  breakDisk(applied: boolean): void {
    this.#break = { applied };
  }

  heal(): void {
    this.#order = undefined;
    this.#break = undefined;
    if (this.#zombie !== undefined) this.#kill(this.#zombie, false);
    if (this.process?.paused) this.process.resume();
    if (this.process === undefined) this.boot();
  }

  write(process: ServerProcess, change: Change, apply: () => void): Promise<void> {
    if (process === this.process && this.#diesBefore(process)) return new Promise<never>(() => {});
    const flying: Flying = { process, change, apply };
    this.#flying = flying;
    return new Promise<void>((resolve, reject) => {
      this.world.after(this.data.writeTime(this.#random), 1, () => {
        if (this.#flying === flying) this.#flying = undefined;
        if (!process.alive) return;
        // The disk goes on with what a paused process asked for; its answer waits.
        const error = this.#land(process, change, apply);
        if (!process.alive) return;
        const { timeline } = this.data.disk;
        process.inside(() => {
          if (error !== undefined) return reject(error);
          if (change.verb === 'recover') process.timeline = timeline;
          resolve();
        });
      });
    });
  }

  #land(process: ServerProcess, change: Change, apply: () => void): Error | undefined {
    const refused = this.data.refusal(change);
    if (refused !== undefined) return refused;
    const broken = process === this.process ? this.#break : undefined;
    if (broken === undefined || broken.applied) {
      const refusal = this.data.apply(change, apply);
      if (refusal !== undefined) return refusal;
    }
    if (broken !== undefined) {
      this.#break = undefined;
      this.world.sometimes(broken.applied ? 'a sync failed after all was written' : 'a sync failed');
      return new StoreError('broken', 'the simulated disk failed to sync');
    }
    if (process === this.process && change.verb === 'commit' && this.#isDue('afterCommit')) {
      this.world.sometimes('crash between commit and reply');
      this.#obey();
    }
    return undefined;
  }

  departing(
    process: ServerProcess,
    link: Link,
    frame: Frame,
  ): { readonly decoded?: Decoded<ServerToWorker> } | undefined {
    if (process === this.process && this.#isDue('betweenSends')) {
      this.world.sometimes('crash between two messages');
      this.#obey();
      return undefined;
    }
    return this.#observer.departed(process, link, frame, this.data.disk);
  }

  arriving(process: ServerProcess, link: Link, frame: Frame | undefined): void {
    this.#observer.arrived(process, link, frame);
  }

  ended(process: ServerProcess, reason: string): void {
    if (!process.alive) return;
    const current = process === this.process;
    this.world.note(() => `${this.name} ends by itself: ${reason}`);
    this.world.sometimes(current ? 'the server gave up its disk' : 'a fenced server ended itself');
    this.#kill(process, false);
    if (current) this.#restartIn(SUPERVISOR_PAUSE);
  }

  #diesBefore(process: ServerProcess): boolean {
    if (process.listens ? !this.#isDue('beforeCommit') : !this.#isDue('inRecovery')) return false;
    this.world.sometimes(process.listens ? 'crash before a commit' : 'crash during recovery');
    this.#obey();
    return true;
  }

  #isDue(site: CrashSite): boolean {
    const order = this.#order;
    if (order === undefined || order.site !== site) return false;
    order.left -= 1;
    return order.left <= 0;
  }

  #obey(): void {
    const order = this.#order as CrashOrder;
    this.#order = undefined;
    this.crash(order.down, order.applied);
  }

  #kill(process: ServerProcess, applied: boolean): void {
    if (process === this.process) this.process = undefined;
    if (process === this.#zombie) this.#zombie = undefined;
    if (!process.alive) return;
    const flying = this.#flying;
    // What was being written when the power went may be there or not.
    if (applied && flying?.process === process && this.data.takesWrites) {
      this.#flying = undefined;
      this.world.sometimes('crash with a commit under way that was kept');
      this.data.apply(flying.change, flying.apply);
    }
    process.die();
    for (const link of this.#network.links) {
      if (link.host !== process) continue;
      const told = this.#random.chance(0.8) ? this.#random.between(0, 200) : undefined;
      link.hostDied(this.#random.next(), told);
    }
  }

  #restartIn(down: Millis): void {
    this.world.after(down, 1, () => {
      if (this.process === undefined) this.boot();
    });
  }
}
