import type { Millis } from '../../model/ids.ts';
import { Machine, type Stage } from './machine.ts';
import { type WorkerPlan, workerName } from './plan.ts';
import { hashed } from './random.ts';
import { WorkerLife } from './worker-life.ts';

/** Milliseconds until somebody starts a worker again that could not join, or that a task has killed. */
const AGAIN = [500, 10_000] as const;
/** The same for one that was stopped, or has left. */
const MUCH_LATER = [10_000, 120_000] as const;

/** A device with a worker on it, one process after the other. */
export class WorkerMachine extends Machine {
  readonly plan: WorkerPlan;
  life: WorkerLife | undefined;
  readonly #number: number;
  #lives = 0;

  constructor(stage: Stage, number: number) {
    super(stage, workerName(number), 10 + number);
    this.#number = number;
    this.plan = stage.plan.workers[number] as WorkerPlan;
  }

  boot(): void {
    const { goneAt } = this.plan;
    if (this.life !== undefined || this.stage.over || (goneAt !== undefined && this.stage.world.now >= goneAt)) return;
    this.#lives += 1;
    const life = new WorkerLife(this, this.plan, this.#key(), {
      ended: (ended, failed) => this.#ended(ended, failed),
      poisoned: (ended, job, index) => this.#poisoned(ended, job, index),
    });
    this.life = life;
    life.handle({ kind: 'start' });
  }

  kill(back: Millis): void {
    if (this.life === undefined) return;
    this.stage.world.note(() => `${this.name.padEnd(7)} dies, back in ${Math.round(back)} ms`);
    this.#end();
    this.#bootIn(back);
  }

  freeze(pause: Millis): void {
    const { life } = this;
    if (life === undefined) return;
    this.stage.world.note(() => `${this.name.padEnd(7)} sleeps for ${Math.round(pause)} ms`);
    life.freeze();
    this.stage.world.after(pause, 2 * this.who, () => life.thaw());
  }

  /** Whoever was away comes back, except those that are gone for good. */
  heal(): void {
    this.life?.thaw();
    if (this.plan.goneAt !== undefined) this.#end();
    else this.boot();
  }

  #key(): string {
    const part = (salt: number) =>
      Math.floor(hashed(this.stage.plan.seed, this.#number, this.#lives, salt) * 2 ** 32)
        .toString(16)
        .padStart(8, '0');
    return part(1) + part(2) + part(3) + part(4);
  }

  #end(): void {
    this.life?.end();
    this.life = undefined;
  }

  #bootIn(time: Millis): void {
    this.stage.world.after(time, 2 * this.who, () => this.boot());
  }

  #ended(life: WorkerLife, failed: boolean): void {
    if (this.life !== life) return;
    this.#end();
    const [low, high] = failed || this.stage.healed ? AGAIN : MUCH_LATER;
    this.#bootIn(this.random.between(low, high));
  }

  #poisoned(life: WorkerLife, job: number, index: number): void {
    if (this.life !== life) return;
    this.stage.world.note(() => `${this.name.padEnd(7)} is killed by task ${job}/${index}`);
    this.stage.killed(job, index, life.id ?? this.name);
    this.#end();
    this.#bootIn(this.random.between(...AGAIN));
  }
}
