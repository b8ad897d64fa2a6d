import assert from 'node:assert/strict';
import { SERVER_LEASE, TAKEOVER_GRACE } from '../../model/server-limits.ts';
import { Random } from '../simulation/random.ts';
import { Holdings } from './holdings.ts';
import { inputsOf } from './home.ts';
import { type Farm, type MakeSharedHome, sharedRule } from './servers.ts';

const BLOCKS = 8;
const TASKS = 5;
const STEPS = 60;

/** What no list of cases finds: servers claim, give back, absorb, die and take over in any order. */
export function sequenceRules(makeHome: MakeSharedHome): void {
  for (const seed of [1, 2, 3]) {
    sharedRule(`D20 D21 no task is lost or held twice, whatever servers do (seed ${seed})`, makeHome, (farm) =>
      sequence(farm, new Random(seed, 'parts')),
    );
  }

  sharedRule('D5 servers that claim at once never get the same', makeHome, async (farm) => {
    const servers = [await farm.join(), await farm.join(), await farm.join()];
    const [first] = servers as [(typeof servers)[0]];
    const job = await first.job();
    const inputs = Array.from({ length: 60 }, (_, at) => inputsOf(job, at * 2, 2));
    await first.commit(...inputs.slice(0, 30));
    const claims = servers.flatMap((server) =>
      Array.from({ length: 12 }, () => server.store.claim(job, 2, server.epoch)),
    );
    const appended = first.commit(...inputs.slice(30));
    const early = (await Promise.all(claims)).flat();
    await appended;
    const rest = await first.store.claim(job, 60, first.epoch);
    const firsts = [...early, ...rest].map(({ block }) => block.first).sort((a, b) => a - b);
    assert.deepEqual(
      firsts,
      inputs.map((_, at) => at * 2),
    );
    assert.equal((await first.store.readJob(job))?.claimedTo, 120);
  });
}

async function sequence(farm: Farm, random: Random): Promise<void> {
  const keeper = await farm.join();
  const job = await keeper.job();
  await keeper.commit(...Array.from({ length: BLOCKS }, (_, at) => inputsOf(job, at * TASKS, TASKS)));
  const ended = new Set<number>();
  let servers = [keeper, await farm.join(), await farm.join()].map((server) => new Holdings(server, job));
  for (let step = 0; step < STEPS; step++) {
    const server = random.pick(servers);
    const what = random.whole(0, 13);
    if (what <= 2) await server.claim(random.whole(1, 2));
    else if (what <= 4) await server.absorb();
    else if (what <= 6) await server.give(random);
    else if (what === 7) await server.grant(random);
    else if (what === 8) await server.again();
    else if (what === 9 || what === 10) await move(farm, random, server, random.pick(servers));
    else if (what === 11 && servers.length > 1) servers = await death(farm, random, servers, server);
    else for (const task of await server.end(random)) ended.add(task);
    noneTwice(servers, ended);
  }
  await everythingIsThere(farm, servers, ended);
}

/** A worker goes to a server that asks for what it runs, at once, too late, or never. */
async function move(farm: Farm, random: Random, from: Holdings, to: Holdings): Promise<void> {
  const lease = await from.handOver(random);
  if (lease === undefined) return;
  if (random.chance(0.2)) {
    await farm.later(TAKEOVER_GRACE + 500);
    for (const { server } of [from, to]) await server.pulse();
  }
  if (random.chance(0.8)) await to.takeOver([lease]);
}

/** One dies, another takes over some of its leases, and a new one comes. */
async function death(farm: Farm, random: Random, servers: readonly Holdings[], dead: Holdings): Promise<Holdings[]> {
  const left = servers.filter((server) => server !== dead);
  const heir = random.pick(left);
  await farm.crash(dead.server);
  await farm.steady(
    heir.server,
    SERVER_LEASE * 1.5,
    ...left.filter((each) => each !== heir).map(({ server }) => server),
  );
  const leases = [...dead.leases.keys()].filter(() => random.chance(0.6));
  const before = dead.open();
  for (const task of await heir.takeOver(leases)) assert.ok(before.includes(task), `task ${task} was not of the dead`);
  if (random.chance(0.7)) {
    await farm.later(TAKEOVER_GRACE + 500);
    for (const { server } of left) await server.pulse();
  }
  return [...left, new Holdings(await farm.join(), dead.job)];
}

function noneTwice(servers: readonly Holdings[], ended: ReadonlySet<number>): void {
  const open = servers.flatMap((server) => server.open());
  assert.equal(new Set(open).size, open.length, 'a task is held twice');
  for (const task of open) assert.ok(!ended.has(task), `task ${task} has ended and is open`);
}

/** What is held, what is free and what has ended are all tasks together. */
async function everythingIsThere(farm: Farm, servers: readonly Holdings[], ended: ReadonlySet<number>): Promise<void> {
  const [first] = servers as [Holdings];
  for (const server of servers) await server.again();
  await farm.later(TAKEOVER_GRACE + 500);
  for (const { server } of servers) await server.pulse();
  await first.claim(100);
  noneTwice(servers, ended);
  const all = [...servers.flatMap((server) => server.open()), ...ended].sort((a, b) => a - b);
  assert.deepEqual(
    all,
    Array.from({ length: BLOCKS * TASKS }, (_, at) => at),
  );
}
