import { leaseId } from '../../src/model/ids.ts';
import type { BlockRecord } from '../../src/model/job.ts';
import type { Write } from '../../src/model/records.ts';
import { type Store, StoreError } from '../../src/store/store.ts';
import type { Random } from '../../src/testing/simulation/random.ts';
import { aJob, aLease, aSegment, bytesOf, progressOf } from '../../src/testing/store-records.ts';

/** Servers of one kind of store, which all do the same steps. */
export interface Kind {
  readonly name: string;
  readonly servers: { readonly store: Store; epoch: number }[];
}

/** One step of a server: the same calls, whatever the store is. */
export type Step = (server: { readonly store: Store; epoch: number }) => Promise<unknown>;

const JOBS = 3;
const BLOCK = 4;

/**
 * A step that chance draws: also wrong ones, since a refusal must be the same. `plain`: only what a store that is not shared
 * does as a shared one does.
 */
export function drawStep(random: Random, plain: boolean): Step {
  const job = random.whole(1, JOBS);
  const first = BLOCK * random.whole(0, 4);
  const what = random.whole(0, 15);
  if (what <= 7) {
    const draws = Array.from({ length: random.whole(1, 4) }, () => drawWrite(random, plain));
    return async (server) => server.store.commit(await Promise.all(draws.map((draw) => draw(server))), server.epoch);
  }
  if (what <= 9) {
    const max = random.whole(0, 3);
    return ({ store, epoch }) => store.claim(job, max, epoch);
  }
  if (what === 10) return ({ store }) => store.reopen(job);
  if (what === 11) {
    return async (server) => {
      server.epoch = await server.store.start();
      return await server.store.recover(server.epoch);
    };
  }
  if (what === 12 && random.chance(0.3)) return ({ store }) => store.forget(job);
  if (what === 13 && !plain) return ({ store, epoch }) => store.shared?.pulse(epoch, `at ${first}`) as Promise<unknown>;
  return (server) => look(server.store, job, first);
}

type DrawnWrite = (server: { readonly store: Store; readonly epoch: number }) => Promise<Write>;

function drawWrite(random: Random, plain: boolean): DrawnWrite {
  const job = random.whole(1, JOBS);
  const first = BLOCK * random.whole(0, 4);
  const ended = Uint8Array.of(random.whole(0, 14));
  const lease = random.whole(1, 9);
  const failed = random.whole(0, 1);
  const text = random.chance(0.9) ? `inputs ${first}` : 'others';
  const total = random.whole(0, 9);
  // Not of the range, whose blocks are others.
  const plainJob = Math.min(job, JOBS - 1);
  const block = (epoch: number): BlockRecord => ({
    job: plainJob,
    first,
    count: BLOCK,
    generation: 0,
    ended,
    exceptions: [],
    epoch,
  });
  const attempt = {
    job,
    index: first,
    lease,
    worker: 'w',
    outcome: 'lost',
    endedAt: 1,
    message: 'gone\u0000"\\',
  } as const;
  const draws: DrawnWrite[] = [
    async () => aJob(job, job === JOBS ? { range: { start: 0, step: 1, count: 9_000 } } : {}, { total }),
    async () => ({ kind: 'inputs', job: plainJob, first, count: BLOCK, column: bytesOf(text) }),
    async () => ({ kind: 'inputs', job: plainJob, first, count: BLOCK, column: bytesOf(text) }),
    async ({ epoch }) => ({ kind: 'block', block: block(epoch) }),
    async () => ({ kind: 'blockEnded', job, first }),
    async ({ epoch }) => aLease(job, first, BLOCK, lease, epoch),
    async ({ epoch }) => ({ kind: 'leaseEnded', lease: leaseId(epoch, lease) }),
    async ({ store }) => {
      const last = (await store.readSegments(job, { after: 0 }, 1e6)).at(-1)?.segment.seq ?? 0;
      return aSegment(job, last + 1, first, BLOCK, { failed: failed * BLOCK });
    },
    async () => ({ kind: 'attempt', attempt }),
    async () => ({ kind: 'log', log: { job, index: first, lease, stream: 'log', at: 1, text: 'é\n\u0000' } }),
    async () => ({ kind: 'blobRef', job, sha256: `blob ${total}` }),
    async () => ({ kind: 'idempotency', owner: 'o', key: `k\u0000${total}`, digest: `d${job}`, job }),
    async () => ({ kind: 'token', token: { id: `t${total}`, hash: 'h', role: 'read', name: text, createdAt: 1 } }),
  ];
  if (!plain) {
    const end = random.chance(0.15) ? ({ state: 'failed', endedAt: 5, open: false } as const) : {};
    const change = { counted: { done: failed, total }, set: { startedAt: total, ...end } };
    draws.push(
      async () => ({ kind: 'progress', job, progress: progressOf({ ...end }), change }),
      async () => ({ kind: 'inputs', job: plainJob, first, count: BLOCK, column: bytesOf(text), anywhere: true }),
      async ({ epoch }) => ({ kind: 'blockFreed', block: block(epoch) }),
      async ({ epoch }) => ({ kind: 'handedOver', lease: leaseId(epoch, lease), block: block(epoch) }),
    );
  }
  return random.pick(draws);
}

async function look(store: Store, job: number, first: number): Promise<unknown> {
  return [
    await store.readJob(job),
    await store.listJobs({ limit: 9 }),
    await store.listBlocks(job, first, 3),
    await store.readInputs(job, first),
    await store.readSegments(job, { after: 1 }, 30),
    await store.readSegments(job, { after: 0, block: first }, 1e6),
    await store.readBatches(job, { after: 0, step: 2, limit: 3 }, 1e6),
    await store.readTask(job, first + 1),
    (await store.readAttempts(job, { after: 0, limit: 9 })).map(({ attempt }) => attempt),
    (await store.readLogs(job, { after: 0, limit: 9 })).map(({ log }) => log),
    await store.listTokens(),
    await store.findIdempotent('o', `k\u0000${first}`),
    await store.unreferenced(['blob 1', 'blob 2', 'blob 3']),
  ];
}

/** What a step came to, comparable between stores: bytes as text, errors by their codes, numbers of parts by their presence. */
export async function outcome(step: Promise<unknown>): Promise<unknown> {
  try {
    return plainOf(await step);
  } catch (error) {
    return error instanceof StoreError ? `refused: ${error.code}` : `failed: ${String(error)}`;
  }
}

function plainOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => name !== 'since');
  return Object.fromEntries(entries.map(([name, each]) => [name, name === 'part' ? 'some' : plainOf(each)]));
}
