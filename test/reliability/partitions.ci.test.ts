import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Farm, Job } from '../../src/index.ts';
import { waitFor, within } from '../support/wait.ts';
import { Counter } from './counter.ts';
import { Journal } from './journal.ts';
import { LONG_LANE, Load } from './load.ts';
import { needs } from './needs.ts';
import { type FarServer, PartitionedFarm } from './partitioned-farm.ts';
import { checkDatabase } from './several-servers.ts';

/** Milliseconds for which lines are cut: longer than a silent server keeps its work, and shorter. */
const LONG_CUT = 15_000;
const SHORT_CUT = 8_000;
/** Milliseconds after which work is elsewhere: of a server, and of a worker behind a cut line. */
const TAKEN_OVER = 15_000;
/** Milliseconds that a probe takes: more than that, so that none has ended before. */
const PROBE = 17_000;
/** Milliseconds after which all goes on once the database is there again. */
const GOES_ON = 6_000;

async function probe({ url, millis }: { url: string; millis: number }, ctx: { key: string; attempt: string }) {
  await fetch(`${url}/${ctx.key}/${ctx.attempt}`);
  await new Promise((resolve) => setTimeout(resolve, millis));
  return ctx.key;
}

interface Probes {
  readonly jobs: readonly Job<string>[];
  /** The keys of those that run at the workers of their server. */
  readonly there: readonly string[];
}

/** Every probe ends well, and once. */
async function endsOf({ jobs }: Probes): Promise<void> {
  for (const job of jobs) assert.equal((await within(job.values(), 60_000, `the end of job ${job.id}`)).length, 2);
}

/** The farm, and what clients do to it all the time. */
class Scene {
  readonly farm: PartitionedFarm;
  readonly counter: Counter;
  readonly journal = new Journal();
  readonly clients: readonly Farm[];
  readonly loads: readonly Load[];

  private constructor(farm: PartitionedFarm, counter: Counter, clients: readonly Farm[]) {
    this.farm = farm;
    this.counter = counter;
    this.clients = clients;
    // Those at the servers that are cut off.
    this.loads = clients.slice(0, 2).map((client) => new Load(client, this.journal, counter));
  }

  static async open(t: TestContext): Promise<Scene> {
    const farm = await PartitionedFarm.start(t);
    for (let at = 0; at < 3; at++) await farm.addServer();
    const lanes = [[], [], ['--label', `lane=${LONG_LANE.lane}`]];
    for (const lane of lanes) await farm.addWorker('--slots', '4', ...lane);
    const counter = await Counter.start(t, farm.star.here.address);
    const clients = await Promise.all([0, 1, 2].map((first) => farm.connect(first)));
    return new Scene(farm, counter, clients);
  }

  /** Runs this while there is load; whatever goes wrong with that ends it. */
  async during(act: Promise<void>): Promise<void> {
    await Promise.race([act, ...this.loads.map((load) => load.failed)]);
  }

  /** Long tasks of the client at this server: some run at its workers when this resolves. */
  async probes(server: number): Promise<Probes> {
    const { farm, counter } = this;
    await waitFor(async () => (await farm.workersOf(server)).length > 0, { what: 'a worker there', timeout: 30_000 });
    const jobs: Job<string>[] = [];
    const keys = () => [...counter.starts.keys()].filter((key) => jobs.some(({ id }) => key.includes(`-${id}-`)));
    for (let tries = 1; ; tries++) {
      const inputs = Array.from({ length: 2 }, () => ({ url: counter.url, millis: PROBE }));
      jobs.push(await (this.clients[server] as Farm).map(probe, inputs, { name: 'probes' }));
      await waitFor(() => keys().length === 2 * tries, { what: 'the start of the probes', timeout: 20_000 });
      const addresses = (await farm.workersOf(server)).map(({ place }) => place.address);
      const isThere = ([attempt = '']: string[]) => addresses.includes(counter.places.get(attempt) ?? '');
      const starts = () => keys().map((key) => counter.starts.get(key) ?? []);
      const there = starts().filter((attempts) => attempts.length === 1 && isThere(attempts));
      if (there.length > 0)
        return { jobs, there: keys().filter((key) => there.includes(counter.starts.get(key) ?? [])) };
      assert.ok(tries < 5, `no probe runs at the workers of server ${server}`);
    }
  }

  /** Resolves when each of these has begun once more. */
  async again(keys: readonly string[]): Promise<void> {
    const isAgain = (key: string) => (this.counter.starts.get(key)?.length ?? 0) > 1;
    await waitFor(() => keys.every(isAgain), { what: 'its work to be elsewhere', timeout: 30_000 });
  }

  /** Resolves when clients were told many new things. */
  async goesOn(): Promise<void> {
    const before = this.journal.acked;
    await waitFor(() => this.journal.acked > before + 300, { what: 'the load to go on', timeout: 30_000 });
  }

  async end(): Promise<{ tasks: number; acked: number; begun: number }> {
    await Promise.all(this.loads.map((load) => load.stop()));
    const [client] = this.clients as [Farm];
    await waitFor(
      async () => (await this.farm.get<{ jobs: unknown[] }>(0, '/v1/jobs?state=active')).jobs.length === 0,
      { what: 'the end of all jobs', timeout: 30_000 },
    );
    const tasks = await this.journal.compare(client);
    await checkDatabase(this.farm);
    const { begun } = await this.farm.members();
    return { tasks, acked: this.journal.acked, begun };
  }
}

const since = (then: number) => performance.now() - then;
const seconds = (millis: number) => `${(millis / 1_000).toFixed(1)} s`;

/** A server that does not reach the database, though all others reach it. */
async function withoutDatabase(scene: Scene): Promise<string> {
  const { farm } = scene;
  const [server] = farm.servers as [FarServer];
  const probes = await scene.probes(0);
  farm.star.cut([server.place], [farm.store]);
  const cut = performance.now();
  await scene.again(probes.there);
  const taken = since(cut);
  await sleep(Math.max(0, LONG_CUT - since(cut)));
  farm.star.heal();
  const healed = performance.now();
  await waitFor(async () => (await farm.members()).alive.includes(server.url), {
    what: 'it to begin again',
    timeout: 20_000,
  });
  const back = since(healed);
  assert.deepEqual((await farm.members()).blamed, [server.url], 'only the one without the database was over');
  await endsOf(probes);
  assert.ok(taken <= TAKEN_OVER, `its work was elsewhere after ${seconds(taken)}`);
  return `one server without PostgreSQL: ${probes.there.length} tasks of it elsewhere after ${seconds(taken)}, itself back ${seconds(back)} after the cut`;
}

/** A server that reaches the database, and no worker. */
async function withoutWorkers(scene: Scene): Promise<string> {
  const { farm } = scene;
  const { blamed } = await farm.members();
  const probes = await scene.probes(1);
  const [, server] = farm.servers as [FarServer, FarServer];
  farm.star.cut(
    [server.place],
    farm.workers.map(({ place }) => place),
  );
  const cut = performance.now();
  await waitFor(async () => (await farm.workersOf(0)).length + (await farm.workersOf(2)).length === 3, {
    what: 'all workers at the other servers',
    timeout: 30_000,
  });
  const moved = since(cut);
  await scene.goesOn();
  await sleep(Math.max(0, LONG_CUT - since(cut)));
  farm.star.heal();
  await endsOf(probes);
  // The server lives, and handed over what its workers ran (R39).
  for (const key of probes.there) assert.equal(scene.counter.starts.get(key)?.length, 1, `${key} was begun again`);
  assert.ok(moved <= TAKEN_OVER, `its workers were elsewhere after ${seconds(moved)}`);
  assert.deepEqual((await farm.members()).blamed, blamed, 'nobody was taken for dead');
  return `one server without workers: they were elsewhere after ${seconds(moved)}, and ${probes.there.length} tasks of it with them`;
}

/** Nobody reaches the database. */
async function withoutAny(scene: Scene): Promise<string> {
  const { farm, journal } = scene;
  const { blamed } = await farm.members();
  const everybody = [farm.star.here, ...farm.servers.map(({ place }) => place)];
  farm.star.cut(everybody, [farm.store]);
  const cut = performance.now();
  await sleep(SHORT_CUT / 2);
  const half = journal.acked;
  await sleep(SHORT_CUT - since(cut));
  assert.ok(journal.acked <= half, `${journal.acked - half} things were acknowledged without a database`);
  farm.star.heal();
  const healed = performance.now();
  await scene.goesOn();
  const on = since(healed);
  assert.deepEqual((await farm.members()).blamed, blamed, 'nobody is to blame');
  for (const worker of farm.workers) assert.equal(worker.process.child.exitCode, null, worker.process.describe());
  assert.ok(on <= GOES_ON, `it went on after ${seconds(on)}`);
  return `nobody with PostgreSQL: on again ${seconds(on)} after the cut`;
}

test('lines that drop everything between servers, their PostgreSQL and workers: the work is elsewhere within 15 s, and nothing is lost or doubled (F-38, F-40, F-41, S12, R39)', {
  ...needs('root', 'ip', 'nft'),
  timeout: 240_000,
}, async (t) => {
  const scene = await Scene.open(t);
  await scene.during(
    (async () => {
      for (const part of [withoutDatabase, withoutWorkers, withoutAny]) {
        await scene.goesOn();
        console.log(`${await part(scene)} (at ${seconds(performance.now())})`);
      }
    })(),
  );
  const { tasks, acked, begun } = await scene.end();
  console.log(
    `${acked} things acknowledged, ${tasks} tasks, nothing lost or doubled; the servers began ${begun} times (at ${seconds(performance.now())})`,
  );
});
