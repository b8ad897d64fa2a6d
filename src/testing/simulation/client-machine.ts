import { FarmError } from '../../client/farm-error.ts';
import type { Millis } from '../../model/ids.ts';
import { ClientLife } from './client-life.ts';
import { Machine, type Stage } from './machine.ts';
import { clientName } from './plan.ts';
import { Program } from './program.ts';

/** Milliseconds until somebody starts a client again that could not reach the farm. */
const AGAIN = [200, 5_000] as const;

/** Milliseconds after which somebody looks what a failover has lost, and starts the programs again: all servers know of it by then. */
const NOTICED = [60_000, 300_000] as const;

/** A device with a client on it, which has a program for each of its jobs. */
export class ClientMachine extends Machine {
  readonly programs: Program[];
  life: ClientLife | undefined;
  /** Somebody will look what a failover has lost. */
  #looks = 0;

  constructor(stage: Stage, number: number) {
    super(stage, clientName(number), 100 + number);
    this.programs = stage.plan.jobs.flatMap((plan, job) =>
      plan.client === number ? [new Program(stage, plan, job)] : [],
    );
    for (const program of this.programs)
      program.source = this.programs.find((other) => other.number === program.plan.source);
  }

  get over(): boolean {
    return this.#looks === 0 && this.programs.every(({ over }) => over);
  }

  boot(): void {
    if (this.life !== undefined || this.stage.over) return;
    const life = new ClientLife(this);
    this.life = life;
    life.inside(() => {
      this.#live(life).catch((error: unknown) => this.#failed(life, error));
    });
  }

  kill(back: Millis): void {
    if (this.life === undefined) return;
    this.stage.world.note(() => `${this.name.padEnd(7)} dies, back in ${Math.round(back)} ms`);
    this.#end(this.life, back);
  }

  /** What its programs were told may not be so any more: they go on as long as they can, and then begin again from the start. */
  failedOver(): void {
    this.#looks += 1;
    this.stage.world.after(this.random.logarithmic(...NOTICED), 2 * this.who, () => {
      this.#looks -= 1;
      for (const program of this.programs) program.beginAgain();
      if (this.life !== undefined) this.kill(this.random.between(...AGAIN));
      else this.boot();
    });
  }

  heal(): void {
    this.boot();
  }

  async #live(life: ClientLife): Promise<void> {
    await life.wire.start();
    await Promise.all(this.programs.map((program) => program.run(life)));
    await life.farm.close();
    this.stage.world.note(() => `${this.name.padEnd(7)} has all it wanted`);
  }

  #failed(life: ClientLife, error: unknown): void {
    if (!life.alive) return;
    const unreachable = error instanceof FarmError && (error.code === 'unreachable' || error.code === 'closed');
    if (!unreachable) this.stage.world.fail('client', `a program failed: ${String(error)}`, error);
    this.#end(life, this.random.between(...AGAIN));
  }

  #end(life: ClientLife, back: Millis): void {
    life.end();
    this.life = undefined;
    this.stage.world.after(back, 2 * this.who, () => this.boot());
  }
}
