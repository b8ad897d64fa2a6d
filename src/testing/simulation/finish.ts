import { BROWSER_LEASE_TIME, IDLE_SHAPES, SETTLED_LEASES, WORKER_HISTORIES } from '../../model/limits.ts';
import { SERVERS } from '../../model/move-limits.ts';
import { RequestError } from '../../server/requests.ts';
import type { ClientMachine } from './client-machine.ts';
import { leftIn } from './drained.ts';
import type { Stage } from './machine.ts';
import type { ServerHost } from './server-host.ts';
import type { Watch } from './watch.ts';
import type { WorkerMachine } from './worker-machine.ts';

const MINUTE = 60_000;
const LONGEST_TIMER = 48 * 60 * MINUTE;

/** What may be left, by the end of its path, and how much of it. */
const MAY_REMAIN: ReadonlyMap<string, number> = new Map([
  ['settled', SETTLED_LEASES],
  ['onRewound', 1],
  ['byKey', IDLE_SHAPES],
  ['#unused', IDLE_SHAPES],
  ['#histories', WORKER_HISTORIES],
  ['#given', SERVERS],
  ['#restUntil', SERVERS],
  ['#failed', SERVERS],
  // The farm's.
  ['#servers', SERVERS],
  // Of the last thing that happened.
  ['#effects', 8],
]);

/** When all is done: nobody holds anything any more, on disk or in memory (F-34), and all budgets were kept. */
export async function finish(
  stage: Stage,
  watch: Watch,
  workers: readonly WorkerMachine[],
  clients: readonly ClientMachine[],
): Promise<void> {
  const { world, data, hosts, observer } = stage;
  // A browser whose server died without a sound takes that long to notice.
  await world.run(world.now + BROWSER_LEASE_TIME + 2 * MINUTE);
  watch.look();
  observer.checkBudgets();
  for (const worker of workers) checkIdle(stage, worker);
  await forgetAll(stage);
  stage.over = true;
  for (const { life } of workers) life?.inside(() => life.handle({ kind: 'stop', reason: 'the simulation is over' }));
  for (const { life } of clients) life?.inside(() => void life.farm.close().catch(() => {}));
  await world.run(world.now + 5 * MINUTE);
  const { disk } = data;
  const processes = hosts.flatMap(({ process }) => (process === undefined ? [] : [process]));
  if (processes.length < hosts.length) return world.fail('L1', 'a server is away at the end');
  // Timers are not called off; those for second copies of tasks of hours are the longest.
  const waits = () => processes.some(({ core }) => core.loop.scheduler?.wakeAt() !== undefined);
  await world.run(world.now + LONGEST_TIMER, () => !waits());
  if (world.failure !== undefined) return;
  const rows = [disk.jobs, disk.forgetting, disk.leases, disk.idempotency, disk.holders, disk.hunger];
  if (rows.some(({ size }) => size > 0))
    world.fail('F-34', `rows are left: ${rows.map(({ size }) => size).join(', ')}`);
  if (waits())
    world.fail('F-34', `a scheduler still waits: ${processes.map(({ core }) => core.loop.scheduler?.wakeAt())}`);
  const [first] = processes;
  first?.inside(() => void first.collect(Number.POSITIVE_INFINITY));
  await world.run(world.now + MINUTE);
  for await (const sha256 of data.blobs.names()) world.fail('S5', `blob ${sha256} is left`);
  for (const process of processes) {
    const skip = new Set<unknown>([
      process,
      disk,
      data,
      ...hosts,
      data.blobs,
      world,
      process.store,
      process.store.shared,
    ]);
    check(stage, leftIn(process.core, 'core', skip));
    check(stage, leftIn(process.clients, 'clients', skip));
  }
  for (const { life, name } of clients) if (life !== undefined) check(stage, leftIn(life.wire, name, new Set([life])));
}

/** A worker that is connected and has nothing to do remembers nothing but its slots, its servers and what it said last. */
function checkIdle(stage: Stage, { life, name }: WorkerMachine): void {
  if (life === undefined) return;
  if (!life.session.idle) stage.world.fail('F-34', `${name} is not idle`);
  const left = leftIn(life.session, name, new Set());
  for (const [path, size] of left)
    if (!/\.(#slots|#effects|runners|servers|#given|#restUntil)$/.test(path))
      stage.world.fail('F-34', `${path} still holds ${size}`);
}

async function forgetAll({ world, data, hosts }: Stage): Promise<void> {
  const { disk } = data;
  const { process } = hosts.at(-1) as ServerHost;
  if (process === undefined) return;
  for (const job of [...disk.jobs.keys(), ...disk.forgetting.keys()]) {
    process.inside(() => {
      process.core.act(job, 'forget').catch((error: unknown) => {
        // A process that was replaced has begun with it: to this one there is no such job, and it has cleared away what was left.
        if (error instanceof RequestError && error.code === 'unknown' && !disk.forgetting.has(job)) return;
        world.fail('L1', `job ${job} cannot be forgotten: ${String(error)}`, error);
      });
    });
  }
  await world.run(world.now + MINUTE);
}

function check({ world }: Stage, left: ReadonlyMap<string, number>): void {
  for (const [path, size] of left) {
    const field = path.slice(path.lastIndexOf('.') + 1);
    if (size > (MAY_REMAIN.get(field) ?? 0)) world.fail('F-34', `${path} still holds ${size}`);
  }
}
