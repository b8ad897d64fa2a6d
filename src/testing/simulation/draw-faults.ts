import type { Millis } from '../../model/ids.ts';
import type { Scale } from './draw-plan.ts';
import { clientName, type Fault, workerName } from './plan.ts';
import type { Random } from './random.ts';

export interface FaultScene {
  readonly scale: Scale;
  readonly chaos: Millis;
  readonly quiet: boolean;
  readonly workers: number;
  readonly clients: number;
}

/** Draws some faults of one kind. */
type Draw = (random: Random, scene: FaultScene) => Fault[];

const some = (random: Random, scene: FaultScene, make: () => Fault): Fault[] =>
  Array.from({ length: random.whole(1, scene.quiet ? 2 : 7) }, make);
const when = (random: Random, { chaos }: FaultScene): Millis => Math.round(random.next() * chaos);
const spell = (random: Random, { scale }: FaultScene): Millis => Math.round(random.logarithmic(...scale.spell));
const someWorker = (random: Random, { workers }: FaultScene): string => workerName(random.whole(0, workers - 1));
const someClient = (random: Random, { clients }: FaultScene): string => clientName(random.whole(0, clients - 1));
const someNode = (random: Random, scene: FaultScene): string =>
  random.chance(0.3) ? someClient(random, scene) : someWorker(random, scene);
/** How long a dead server stays away: often as long as it takes to start, sometimes longer than leases last. */
const downTime = (random: Random): Millis => Math.round(random.logarithmic(20, 40_000));

const cut = (random: Random, node: string, at: Millis): Fault => ({
  kind: 'cut',
  at,
  node,
  loseUp: random.pick([0, 1, random.next()]),
  loseDown: random.pick([0, 1, random.next()]),
  ...(random.chance(0.8) ? { nodeNotices: Math.round(random.logarithmic(1, 30_000)) } : {}),
  ...(random.chance(0.8) ? { serverNotices: Math.round(random.logarithmic(1, 30_000)) } : {}),
});

const KINDS: readonly Draw[] = [
  (random, scene) => some(random, scene, () => cut(random, someNode(random, scene), when(random, scene))),
  // Everybody at once, as when a router is switched off.
  (random, scene) => {
    const at = when(random, scene);
    const nodes = [...names(scene.workers, workerName), ...names(scene.clients, clientName)];
    return nodes.map((node) => cut(random, node, at + random.whole(0, 50)));
  },
  // One connection again and again.
  (random, scene) => {
    const [node, at, every] = [someNode(random, scene), when(random, scene), random.logarithmic(50, 5_000)];
    return Array.from({ length: 10 }, (_, i) => cut(random, node, at + Math.round(i * every)));
  },
  (random, scene) =>
    some(random, scene, () => ({
      kind: 'lateFrames',
      at: when(random, scene),
      node: someWorker(random, scene),
      for: spell(random, scene),
    })),
  (random, scene) =>
    some(random, scene, () => ({
      kind: 'slow',
      at: when(random, scene),
      node: someNode(random, scene),
      way: random.pick(['up', 'down', 'both'] as const),
      for: spell(random, scene),
    })),
  (random, scene) =>
    some(random, scene, () => ({
      kind: 'partition',
      at: when(random, scene),
      node: someNode(random, scene),
      for: spell(random, scene),
    })),
  (random, scene) =>
    some(random, scene, () => ({
      kind: 'crash',
      at: when(random, scene),
      site: random.pick(['now', 'beforeCommit', 'afterCommit', 'afterCommit', 'betweenSends', 'inRecovery'] as const),
      nth: random.whole(1, 20),
      down: downTime(random),
      applied: random.chance(0.5),
    })),
  // Soon after one another: also while the first recovery is under way.
  (random, scene) => {
    const at = when(random, scene);
    return Array.from({ length: 3 }, (_, i) => ({
      kind: 'crash',
      at: at + i * random.whole(1, 200),
      site: i === 0 ? 'now' : 'inRecovery',
      nth: random.whole(1, 2),
      down: random.whole(1, 100),
      applied: random.chance(0.5),
    }));
  },
  (random, scene) => some(random, scene, () => ({ kind: 'restart', at: when(random, scene), down: downTime(random) })),
  (random, scene) => [{ kind: 'zombie', at: when(random, scene), for: spell(random, scene) }],
  (random, scene) =>
    some(random, scene, () => ({ kind: 'freezeServer', at: when(random, scene), for: spell(random, scene) })),
  (random, scene) =>
    some(random, scene, () => ({
      kind: 'wallStep',
      at: when(random, scene),
      by: random.pick([-1, 1]) * random.whole(1_000, 600_000),
    })),
  (random, scene) =>
    some(random, scene, () => ({
      kind: random.pick(['diskFull', 'diskLocked', 'diskStall'] as const),
      at: when(random, scene),
      for: Math.min(60_000, spell(random, scene)),
    })),
  (random, scene) => [{ kind: 'diskBroken', at: when(random, scene), applied: random.chance(0.5) }],
  (random, scene) =>
    some(random, scene, () => ({
      kind: 'killWorker',
      at: when(random, scene),
      node: someWorker(random, scene),
      back: Math.round(random.logarithmic(10, 60_000)),
    })),
  (random, scene) =>
    some(random, scene, () => ({
      kind: 'killClient',
      at: when(random, scene),
      node: someClient(random, scene),
      back: Math.round(random.logarithmic(10, 60_000)),
    })),
  (random, scene) =>
    some(random, scene, () => ({
      kind: 'freezeWorker',
      at: when(random, scene),
      node: someWorker(random, scene),
      for: spell(random, scene),
    })),
  (random, scene) =>
    some(random, scene, () => ({ kind: 'killSlot', at: when(random, scene), node: someWorker(random, scene) })),
  (random, scene) =>
    some(random, scene, () => ({
      kind: 'drain',
      at: when(random, scene),
      node: someWorker(random, scene),
      for: spell(random, scene),
    })),
  (random, scene) => [
    {
      kind: random.pick(['stopWorker', 'leaveWorker'] as const),
      at: when(random, scene),
      node: someWorker(random, scene),
    },
  ],
];

/** In order of time. */
export function drawFaults(random: Random, scene: FaultScene): Fault[] {
  const share = scene.quiet ? 0.04 : random.between(0.1, 0.4);
  const faults = KINDS.flatMap((draw) => (random.chance(share) ? draw(random, scene) : []));
  return faults.sort((a, b) => a.at - b.at);
}

function names(count: number, name: (number: number) => string): string[] {
  return Array.from({ length: count }, (_, number) => name(number));
}
