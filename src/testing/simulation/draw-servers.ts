import type { Millis } from '../../model/ids.ts';
import { SERVER_LEASE } from '../../model/server-limits.ts';
import type { Scale } from './draw-plan.ts';
import { type Fault, type Plan, workerName } from './plan.ts';
import { Random } from './random.ts';

/** Of farms that do not last for hours: a pulse a second for hours costs more than it shows. */
const SHARE = 0.4;

/** In some of the farms several servers share a store. What is drawn for them changes nothing else of the plan. */
export function drawServers(plan: Plan, scale: Scale, quiet: boolean): Plan {
  const random = new Random(plan.seed, 'servers');
  if (!random.chance(SHARE)) return plan;
  const servers = random.pick([1, 2, 2, 2, 3, 3]);
  const any = (): number => random.whole(0, servers - 1);
  const faults = plan.faults.map(
    (fault): Fault => (isOfServer(fault) ? ({ ...fault, server: any() } as Fault) : fault),
  );
  const more = quiet ? [] : moreFaults(random, plan, scale, any);
  return { ...plan, servers, faults: [...faults, ...more].sort((a, b) => a.at - b.at) };
}

function isOfServer({ kind }: Fault): boolean {
  return ['crash', 'restart', 'zombie', 'freezeServer', 'wallStep', 'diskBroken'].includes(kind);
}

/** What can only happen to one of several. */
function moreFaults(random: Random, plan: Plan, scale: Scale, any: () => number): Fault[] {
  const when = (): Millis => Math.round(random.next() * plan.chaos);
  const faults: Fault[] = [];
  const some = (chance: number, make: () => Fault): void => {
    if (!random.chance(chance)) return;
    for (let left = random.whole(1, 4); left > 0; left--) faults.push(make());
  };
  some(0.4, () => ({
    ...{ kind: 'crash', site: 'now', nth: 1, at: when(), server: any() },
    ...{ down: Math.round(random.logarithmic(20, 60_000)), applied: random.chance(0.5) },
  }));
  some(0.4, () => ({
    ...{ kind: 'freezeServer', at: when(), server: any() },
    for: Math.round(SERVER_LEASE * random.between(0.5, 4)),
  }));
  some(0.3, () => ({
    ...{ kind: 'partition', at: when(), server: any(), node: workerName(random.whole(0, plan.workers.length - 1)) },
    for: Math.round(random.logarithmic(...scale.spell)),
  }));
  some(0.2, () => ({ kind: 'storeAway', at: when(), for: Math.round(random.logarithmic(500, 60_000)) }));
  if (random.chance(0.25)) {
    faults.push({
      ...{ kind: 'failover', at: when(), for: Math.round(random.logarithmic(20, 40_000)) },
      lost: Math.round(random.logarithmic(5, 15_000)),
    });
  }
  return faults;
}
