import type { Millis } from '../../model/ids.ts';
import type { Frame } from '../../protocol/frames.ts';
import { MemoryDisk } from '../../store/memory/memory-disk.ts';
import { StoreError } from '../../store/store.ts';
import { MemoryBlobs } from './memory-blobs.ts';
import type { Change } from './model-disk.ts';
import type { Link, Network } from './network.ts';
import type { Observer } from './observer.ts';
import type { CrashSite, Plan } from './plan.ts';
import { Random } from './random.ts';
import { ServerProcess, type Surroundings } from './server-process.ts';
import type { World } from './world.ts';

interface CrashOrder {
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

/** The machine of the server: its disk, and one process after the other. */
export class ServerHost implements Surroundings {
  readonly world: World;
  readonly disk = new MemoryDisk('simulated');
  readonly blobs = new MemoryBlobs();
  process: ServerProcess | undefined;
  readonly #network: Network;
  readonly #observer: Observer;
  readonly #random: Random;
  #lives = 0;
  #order: CrashOrder | undefined;
  #latency: readonly [Millis, Millis];
  #slowCommits: number;
  #fullUntil: Millis = -1;
  #stalledUntil: Millis = -1;
  #break: { applied: boolean } | undefined;
  #flying: Flying | undefined;
  #cancelRestart: (() => void) | undefined;

  constructor(world: World, network: Network, observer: Observer, plan: Plan) {
    this.world = world;
    this.#network = network;
    this.#observer = observer;
    this.#random = new Random(plan.seed, 'server');
    this.#latency = plan.disk.latency;
    this.#slowCommits = plan.disk.slowCommits;
  }

  boot(): void {
    this.#cancelRestart = undefined;
    this.#lives += 1;
    this.disk.holder = undefined;
    const process = new ServerProcess(this, this.#lives);
    this.process = process;
    this.#network.host = process;
    this.world.note(() => `server  starts for the ${this.#lives}. time`);
    if (this.#lives > 1) this.world.sometimes('the server started again');
    process.start();
  }

  crash(down: Millis, applied: boolean): void {
    const { process } = this;
    if (process === undefined) return;
    this.#kill(process, applied);
    this.process = undefined;
    this.world.note(() => `server  dies, back in ${Math.round(down)} ms`);
    this.#restartIn(down);
  }

  crashAt(order: CrashOrder): void {
    if (order.site === 'now') this.crash(order.down, order.applied);
    else this.#order = order;
  }

  /** The process is paused, another one is started on the same data, and the first wakes after a while. */
  replaceByAnother(pause: Millis): void {
    const old = this.process;
    if (old === undefined || !old.listens) return;
    old.pause();
    this.world.note(() => `server  is paused for ${Math.round(pause)} ms, another takes over`);
    this.boot();
    this.world.after(pause, 1, () => {
      this.world.sometimes('a paused server woke up after another took over');
      old.resume();
    });
    // Whoever lets it sleep for ever is not simulated: a fenced process ends when it notices.
    this.world.after(pause + 60_000, 1, () => this.#kill(old, false));
  }

  fillDisk(until: Millis): void {
    this.#fullUntil = until;
  }

  stallDisk(until: Millis): void {
    this.#stalledUntil = until;
  }

  breakDisk(applied: boolean): void {
    this.#break = { applied };
  }

  heal(): void {
    this.#order = undefined;
    this.#break = undefined;
    this.#fullUntil = -1;
    this.#stalledUntil = -1;
    this.#slowCommits = 0;
    if (this.process !== undefined) return;
    this.#cancelRestart?.();
    this.boot();
  }

  write(process: ServerProcess, change: Change, apply: () => void): Promise<void> {
    const early = process === this.process ? this.#crashBefore(process) : undefined;
    if (early !== undefined) return early;
    const flying: Flying = { process, change, apply };
    this.#flying = flying;
    return new Promise<void>((resolve, reject) => {
      this.world.after(this.#writeTime(), 1, () => {
        if (this.#flying === flying) this.#flying = undefined;
        if (!process.alive) return;
        this.world.stir();
        this.#land(
          process,
          change,
          apply,
          () => process.inside(resolve),
          (error) => process.inside(() => reject(error)),
        );
      });
    });
  }

  #land(
    process: ServerProcess,
    change: Change,
    apply: () => void,
    resolve: () => void,
    reject: (error: Error) => void,
  ): void {
    if (this.world.now < this.#fullUntil && change.verb === 'commit') {
      this.world.sometimes('the disk was full');
      return reject(new StoreError('full', 'no space left on the simulated disk'));
    }
    const broken = process === this.process ? this.#break : undefined;
    if (broken === undefined || broken.applied) {
      try {
        apply();
      } catch (error) {
        this.#observer.refused(change, error as Error);
        return reject(error as Error);
      }
      this.#observer.applied(change, this.disk);
      this.world.mix(change.verb.length);
    }
    if (broken !== undefined) {
      this.#break = undefined;
      this.world.sometimes('a sync failed');
      return reject(new StoreError('broken', 'the simulated disk failed to sync'));
    }
    if (process === this.process && this.#isDue('afterCommit')) {
      this.world.sometimes('crash between commit and reply');
      return this.#obey();
    }
    resolve();
  }

  departing(process: ServerProcess, link: Link, frame: Frame): boolean {
    if (process === this.process && this.#isDue('betweenSends')) {
      this.world.sometimes('crash between two messages');
      this.#obey();
      return false;
    }
    this.#observer.departed(process, link, frame, this.disk);
    return true;
  }

  ended(process: ServerProcess, reason: string): void {
    if (!process.alive) return;
    this.world.note(() => `server  ends by itself: ${reason}`);
    this.world.sometimes(process === this.process ? 'the server gave up its disk' : 'a fenced server ended itself');
    this.#kill(process, false);
    if (process !== this.process) return;
    this.process = undefined;
    this.#restartIn(1_000);
  }

  #crashBefore(process: ServerProcess): Promise<void> | undefined {
    const recovering = !process.listens;
    if (recovering && this.#isDue('inRecovery')) this.world.sometimes('crash during recovery');
    else if (!recovering && this.#isDue('beforeCommit')) this.world.sometimes('crash before a commit');
    else return undefined;
    this.#obey();
    return new Promise<never>(() => {});
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
    if (!process.alive) return;
    const flying = this.#flying;
    // What was being written when the power went may be there or not.
    if (applied && flying?.process === process) {
      this.#flying = undefined;
      this.world.sometimes('crash with a commit under way that was kept');
      this.#applyLate(flying);
    }
    process.die();
    for (const link of this.#network.links) {
      if (link.host !== process) continue;
      const told = this.#random.chance(0.8) ? this.#random.between(0, 200) : undefined;
      link.hostDied(this.#random.next(), told);
    }
  }

  #applyLate({ change, apply }: Flying): void {
    try {
      apply();
    } catch (error) {
      return this.#observer.refused(change, error as Error);
    }
    this.#observer.applied(change, this.disk);
  }

  #restartIn(down: Millis): void {
    this.#cancelRestart = this.world.after(down, 1, () => this.boot());
  }

  #writeTime(): Millis {
    const [low, high] = this.#latency;
    let time = this.#random.between(low, high);
    if (this.#slowCommits > 0 && this.#random.chance(this.#slowCommits)) time += this.#random.exponential(300);
    return Math.max(time, this.#stalledUntil - this.world.now);
  }
}
