import { openTasks } from '../../model/bitmaps.ts';
import { POISON_WORKERS } from '../../model/limits.ts';
import { indexesOf } from '../../model/runs.ts';
import type { Change } from '../../scheduler/commands.ts';
import { ClientMachine } from './client-machine.ts';
import { Data } from './data.ts';
import { Fate } from './fate.ts';
import { finish } from './finish.ts';
import type { Stage } from './machine.ts';
import { Network } from './network.ts';
import { Observer } from './observer.ts';
import type { JobPlan, Plan } from './plan.ts';
import { ServerHost } from './server-host.ts';
import type { ServerProcess } from './server-process.ts';
import { THROWS_FIRST } from './tasks.ts';
import { Watch } from './watch.ts';
import { WorkerMachine } from './worker-machine.ts';
import { type Violation, World } from './world.ts';

const MINUTE = 60_000;
const UNDRAIN_EVERY = 5_000;

/** Messages to workers that an attempt may cost, with its recall, its revoke and the news of its job. */
const MESSAGES_AN_ATTEMPT = 10;
/** Connections that a machine may need after a minute: a silence that is noticed late, and who came back last. */
const CONNECTIONS_A_MACHINE = 6;

/** What has happened so far. */
interface Traffic {
  /** Of servers to workers. */
  readonly messages: number;
  /** Of tasks, that have ended. */
  readonly attempts: number;
  readonly connections: number;
}

export interface Verdict {
  readonly plan: Plan;
  readonly failure: Violation | undefined;
  /** Of all that happened: the same plan gives the same. */
  readonly hash: string;
  readonly events: number;
  /** Milliseconds of virtual time. */
  readonly passed: number;
  readonly messages: number;
  /** How often what was reached. */
  readonly reached: ReadonlyMap<string, number>;
}

export interface SimulateOptions {
  /** Gets a line for each thing that happens. */
  readonly trace?: (line: string) => void;
}

/** Runs one plan: chaos, then healing until all is done, then a look at what is left. */
export async function simulate(plan: Plan, options: SimulateOptions = {}): Promise<Verdict> {
  const simulation = new Simulation(plan, options);
  const strange = (error: unknown) => simulation.world.fail('F-36', `an unhandled rejection: ${String(error)}`, error);
  process.on('unhandledRejection', strange);
  try {
    await simulation.run();
    // Rejections are told at the end of a turn.
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('unhandledRejection', strange);
  }
  return simulation.verdict();
}

class Simulation {
  readonly world = new World();
  readonly #plan: Plan;
  readonly #stage: Stage;
  readonly #observer: Observer;
  readonly #workers: WorkerMachine[];
  readonly #clients: ClientMachine[];
  readonly #fate: Fate;
  readonly #watch: Watch;
  readonly #thrown = new Map<string, number>();
  readonly #killed = new Map<string, Set<string>>();
  /** Tasks that had a second copy, each with how often a brain had been read from disk when the first was given. */
  readonly #copied = new Map<string, number>();
  #calm: Traffic | undefined;

  constructor(plan: Plan, { trace }: SimulateOptions) {
    const { world } = this;
    this.#plan = plan;
    world.trace = trace;
    const network = new Network(world, plan);
    this.#observer = new Observer(world, plan.jobs);
    const hosts: ServerHost[] = [];
    const data = new Data(world, this.#observer, plan, () => (hosts[0] as ServerHost).wall());
    const common = { world, network, observer: this.#observer, plan, data };
    for (let number = 0; number < (plan.servers ?? 1); number++) hosts.push(new ServerHost({ ...common, number }));
    this.#stage = {
      plan,
      world,
      network,
      data,
      hosts,
      observer: this.#observer,
      healed: false,
      over: false,
      thrown: (job, index) => this.#throws(job, index),
      killed: (job, index, worker) => this.#noteKill(job, index, worker),
    };
    for (const host of hosts) host.changed = (change) => this.#noteChange(change);
    this.#workers = plan.workers.map((_, number) => new WorkerMachine(this.#stage, number));
    this.#clients = Array.from({ length: plan.clients }, (_, number) => new ClientMachine(this.#stage, number));
    this.#fate = new Fate(this.#stage, this.#workers, this.#clients);
    this.#watch = new Watch(this.#stage, Math.max(100, plan.chaos / 200));
    for (const host of hosts) host.boot();
    for (const machine of [...this.#workers, ...this.#clients])
      world.after(machine.random.between(10, 500), 2 * machine.who, () => machine.boot());
  }

  async run(): Promise<void> {
    const { world } = this;
    await world.run(this.#plan.chaos);
    world.note(() => '------- everything heals');
    this.#stage.healed = true;
    this.#fate.heal();
    this.#undrain();
    this.#watchCalm();
    const done = () => this.#clients.every(({ over }) => over);
    await world.run(world.now + patience(this.#plan), done);
    if (world.failure === undefined && !done()) this.#complain();
    this.#checkCalm();
    if (world.failure !== undefined) return;
    await finish(this.#stage, this.#watch, this.#workers, this.#clients);
  }

  /** Somebody looks after the workers that were set aside; those that were not there come back. */
  #undrain(): void {
    this.world.after(UNDRAIN_EVERY, 0, () => {
      this.#fate.undrainAll();
      this.#undrain();
    });
  }

  /** From a minute after the healing on, no more is said than the work needs (L3). */
  #watchCalm(): void {
    this.world.after(MINUTE, 0, () => {
      this.#calm = this.#traffic();
    });
  }

  #checkCalm(): void {
    if (this.#calm === undefined) return;
    const { messages, attempts, connections } = this.#traffic();
    const [said, done] = [messages - this.#calm.messages, attempts - this.#calm.attempts];
    const machines = this.#workers.length + this.#clients.length;
    if (said > MESSAGES_AN_ATTEMPT * (done + machines))
      this.world.fail('L3', `${said} messages for ${done} attempts, after all was well for a minute`);
    if (connections - this.#calm.connections > CONNECTIONS_A_MACHINE * machines)
      this.world.fail(
        'L3',
        `${connections - this.#calm.connections} connections of ${machines} machines, after a minute`,
      );
  }

  #traffic(): Traffic {
    const { attempts, messages } = this.#observer;
    let connections = 0;
    for (const each of this.#stage.network.attempts.values()) connections += each;
    return { messages: messages.toWorkers, attempts, connections };
  }

  verdict(): Verdict {
    const { failure, hash, events, now, reached } = this.world;
    return { plan: this.#plan, failure, hash, events, passed: now, messages: this.#observer.messages.count, reached };
  }

  #throws(job: number, index: number): boolean {
    const key = `${job}/${index}`;
    const times = this.#thrown.get(key) ?? 0;
    this.#thrown.set(key, times + 1);
    return times < THROWS_FIRST;
  }

  #noteKill(job: number, index: number, worker: string): void {
    const key = `${job}/${index}/${this.#observer.jobs.get(job)?.generation}`;
    const killed = this.#killed.get(key) ?? new Set();
    this.#killed.set(key, killed.add(worker));
    this.world.sometimes('a task killed its worker');
    // Of two copies the death of one goes unnoticed if the brain is read from disk then: nothing there tells it from a goodbye.
    const before = this.#copied.get(`${job}/${index}`) ?? Number.POSITIVE_INFINITY;
    // Nor is a death noticed whose server is over before it could write of it.
    const { recoveries, over, failovers } = this.#observer;
    const unnoticed = (recoveries > before ? 1 : 0) + over.size + POISON_WORKERS * failovers;
    if (killed.size > POISON_WORKERS + unnoticed)
      this.world.fail('S9', `task ${job}/${index} has killed ${killed.size} workers: ${[...killed].join(', ')}`);
  }

  #noteChange(change: Change): void {
    if (change.kind === 'speculated') {
      this.world.sometimes('a second copy was started');
      const { recoveries } = this.#observer;
      for (const index of indexesOf(change.runs)) {
        const task = `${change.job}/${index}`;
        this.#copied.set(task, this.#copied.get(task) ?? recoveries);
      }
    }
    if (change.kind !== 'worker' || change.state !== 'suspended') return;
    this.#observer.suspensions++;
    this.world.sometimes('a worker was suspended');
  }

  /** L1: says what hangs. */
  #complain(): void {
    const { world } = this;
    const open = this.#clients.flatMap(({ programs }) => programs.filter(({ over }) => !over));
    const words = open.map(({ number, job }) => {
      const seen = job === undefined ? undefined : this.#observer.jobs.get(job);
      return `job ${number} (${job ?? 'not submitted'}): ${JSON.stringify(seen?.progress)}`;
    });
    for (const { name, process } of this.#stage.hosts)
      words.push(`${name}: ${process === undefined ? 'dead' : waits(process)}`);
    for (const [id, job] of this.#stage.data.disk.jobs) {
      const rows = [...job.blocks.values()].map(
        (row) => `${row.first}+${row.count} of ${row.epoch} ${JSON.stringify(openTasks(row))}`,
      );
      if (rows.length > 0) words.push(`rows of job ${id}: ${rows.join('; ')}`);
    }
    world.fail('L1', words.join('\n  '));
  }
}

/** Why the first task that waits does so. */
function waits({ core }: ServerProcess): string {
  const why = core.loop.scheduler?.jobs().map(({ job, progress }) => {
    const index = Array.from({ length: progress.total }, (_, i) => i).find(
      (i) => core.explain(job, i).state !== 'ended',
    );
    return index === undefined ? `job ${job}` : `task ${job}/${index}: ${JSON.stringify(core.explain(job, index))}`;
  });
  return why?.join(', ') ?? 'there is no scheduler';
}

/** Milliseconds in which all must be done once everything works: what is left of the work, and what it takes to notice. */
function patience({ jobs, workers, network, disk, faults }: Plan): number {
  const slowest = Math.max(...workers.map(({ slowness }) => slowness));
  const turn = 4 * network.latency[1] + 3 * disk.latency[1];
  const work = (job: JobPlan) => {
    // A retry of its failed tasks is as much again.
    const tasks = job.spawns === true ? 8 * job.count : job.count;
    const attempts = 2 * tasks * (1 + job.retries);
    const timeouts = job.timeout === undefined ? 0 : attempts * job.timeout;
    return attempts * (2 * job.cost[1] + turn) + timeouts + 20 * job.cost[1] * slowest + (job.inputs?.pause ?? 0);
  };
  const once = 20 * MINUTE + jobs.reduce((sum, job) => sum + work(job), 0);
  // After a failover all programs begin again.
  return once * (1 + faults.filter(({ kind }) => kind === 'failover').length);
}
