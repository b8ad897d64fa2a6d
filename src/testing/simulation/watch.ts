import type { Millis, WorkerId } from '../../model/ids.ts';
import { BROWSER_LEASE_TIME, LEASE_TIME } from '../../model/limits.ts';
import { TAKEOVER_PATIENCE } from '../../model/server-limits.ts';
import { Scheduler } from '../../scheduler/scheduler.ts';
import type { Stage } from './machine.ts';
import { recoveredFrom } from './rebuilt.ts';
import type { ServerProcess } from './server-process.ts';

/** Milliseconds by which the end of a lease may be noticed too late. */
const SLACK = 1_000;
/** Milliseconds that a store may be away. */
const STORE_AWAY = 60_000;
/** Milliseconds by which clocks may run apart in the time of a lease. */
const CLOCKS = 20;
/** A rebuild is compared at one look of so many. */
const REBUILD_EVERY = 8;

/** Looks at the living server now and then: what it knows agrees with itself, with the disk and with who was heard. */
export class Watch {
  readonly #stage: Stage;
  readonly #every: Millis;
  #looks = 0;

  constructor(stage: Stage, every: Millis) {
    this.#stage = stage;
    this.#every = every;
    this.#later();
  }

  #later(): void {
    this.#stage.world.after(this.#every, 0, () => {
      this.look();
      this.#later();
    });
  }

  look(): void {
    this.#looks += 1;
    for (const { process } of this.#stage.hosts) if (process !== undefined) this.#lookAt(process);
  }

  #lookAt(process: ServerProcess): void {
    const { scheduler } = process.core.loop;
    if (process.paused || !process.listens || scheduler === undefined) return;
    scheduler.checkInvariants();
    this.#checkSilence(process, scheduler);
    // Of several servers none knows all that the disk knows.
    const alone = !this.#stage.data.shared;
    if (alone && this.#looks % REBUILD_EVERY === 0 && process.core.loop.backlogBytes === 0)
      this.#checkRebuilt(process, scheduler);
  }

  /** L2: a worker that is heard keeps its tasks, a silent one loses them in time. */
  #checkSilence(process: ServerProcess, scheduler: Scheduler): void {
    const { world } = this.#stage;
    const offset = world.now - process.now();
    for (const { worker, state, lastHeard } of scheduler.workers()) {
      const heard = process.heard.get(worker.id);
      if (heard === undefined) continue;
      const known = Math.max(heard.at, process.resumedAt);
      // What it says of leases of another server counts when it is settled whose they are, for which the store may take its time.
      const late = this.#stage.data.shared ? 2 * TAKEOVER_PATIENCE + STORE_AWAY : 0;
      if (lastHeard + offset > known + CLOCKS + late)
        this.#fail(worker.id, `counts as heard ${Math.round(lastHeard + offset - known)} ms after it was`);
      const lease = worker.kind === 'browser' ? BROWSER_LEASE_TIME : LEASE_TIME;
      if (state === 'lost') {
        const silence = world.now - heard.at;
        world.sometimes('a silent worker lost its leases');
        if (silence < lease - SLACK) this.#fail(worker.id, `was lost after ${Math.round(silence)} ms of silence`);
        continue;
      }
      // What was silent while this machine slept may have been heard by nobody.
      const silence = world.now - known;
      if (silence > lease + SLACK + late)
        this.#fail(worker.id, `keeps its leases after ${Math.round(silence)} ms of silence`);
    }
  }

  #fail(worker: WorkerId, what: string): void {
    this.#stage.world.fail('L2', `worker ${worker} ${what}`);
  }

  /** What a crash would make of it now is the same as what is (R5, D2). */
  #checkRebuilt(process: ServerProcess, live: Scheduler): void {
    const { world } = this.#stage;
    const { disk } = this.#stage.data;
    // Another has taken the disk over, and this one will hear of it at its next commit.
    if (live.epoch !== disk.epoch) return world.sometimes('a server that was replaced did not know it yet');
    const now = process.now();
    const rebuilt = new Scheduler({
      epoch: disk.epoch,
      now,
      wallOffset: process.wall() - now,
      recovered: recoveredFrom(disk),
    });
    rebuilt.checkInvariants();
    for (const { job, progress, waiting, running } of live.jobs()) {
      const again = rebuilt.job(job);
      if (again === undefined) return world.fail('S6', `job ${job} would be lost by a crash`);
      const [is, would] = [JSON.stringify(progress), JSON.stringify(again.progress)];
      if (is !== would) return world.fail('S6', `after a crash job ${job} would be ${would}, but is ${is}`);
      if (waiting + running !== again.waiting + again.running)
        return world.fail(
          'S6',
          `after a crash ${again.waiting + again.running} tasks of job ${job} would be left, not ${waiting + running}`,
        );
    }
    if (rebuilt.jobs().length !== live.jobs().length) world.fail('S6', 'a crash would bring back a job that has ended');
  }
}
