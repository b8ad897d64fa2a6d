import { readdirSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import path from 'node:path';

/** A bug: a piece of the program's text, which occurs once, and what stands there instead. */
export interface Bug {
  readonly name: string;
  /** The first farm in which it showed; looked at before the others. */
  readonly seen: number;
  readonly find: string;
  readonly put: string;
}

/** The planted bugs of faults.md, 4.5, as far as this program could have them. */
export const BUGS: readonly Bug[] = [
  {
    name: 'reply before commit',
    seen: 1,
    find: '    this.#committing = group;\n',
    put: '    this.#committing = group;\n    this.#performAll(group);\n    group.effects = [];\n',
  },
  {
    name: 'no epoch check',
    seen: 23,
    find: 'if (epoch === this.#disk.epoch) return;',
    put: 'if (epoch > 0) return;',
  },
  {
    name: 'no epoch check among several servers',
    seen: 1,
    find: 'if (member !== undefined && member.overAt === undefined) return member;',
    put: 'if (member !== undefined || epoch > 0) return member as StoredMember;',
  },
  {
    name: "lease by the server's clock",
    seen: 1,
    find: '    return this.#disk.clock?.() ?? 0;',
    put: '    return (this.#disk.clock?.() ?? 0) + 5_000 * this.#epochs.length + 5_000 * ((this.#epochs[0] ?? 0) % 2);',
  },
  {
    name: 'epochs are given out again after a failover',
    seen: 147,
    find: 'disk.epoch = Math.max(disk.epoch, ...this.#epochs) + Math.max(1, forks * EPOCHS_AHEAD);',
    put: 'disk.epoch = Math.max(disk.epoch, ...this.#epochs) + Math.max(1, 0 * EPOCHS_AHEAD);',
  },
  {
    name: 'job numbers are given out again after a failover',
    seen: 76,
    find: 'disk.nextJob += forks * JOBS_AHEAD;',
    put: 'void JOBS_AHEAD;',
  },
  {
    name: 'a server keeps its brain after a failover',
    seen: 51,
    find: '    if ((member?.timeline ?? this.#timelines.get(epoch) ?? timeline) !== timeline) throw rewound();\n',
    put: '    if (member === undefined && this.#timelines.get(epoch) !== timeline) throw rewound();\n',
  },
  {
    name: 'who reads on after a failover believes its old place',
    seen: 350,
    find: '    throw mayBeOthers();\n',
    put: '    return cursor % HISTORY;\n',
  },
  {
    name: 'a part is absorbed without its row',
    seen: 1,
    find: "  state.blockChanged(block);\n  state.write({ kind: 'blockEnded', job: block.job, first: block.first, part });",
    put: "  state.write({ kind: 'blockEnded', job: block.job, first: block.first, part });",
  },
  {
    name: 'what is handed over stays in the row of who had it',
    seen: 2,
    find: '  if (block.over) dropBlock(state, job, block);\n  else state.blockChanged(block);\n}\n\n/** Its worker is at',
    put: '  if (block.over) dropBlock(state, job, block);\n  else if (lease === undefined) state.blockChanged(block);\n}\n\n/** Its worker is at',
  },
  {
    name: 'a lease is taken over from a server that lives, without its word',
    seen: 1,
    find: 'if (disk.members.get(holder)?.overAt === undefined) {',
    put: 'if (disk.members.get(holder) === undefined) {',
  },
  {
    name: 'a lease that is handed over is kept as well',
    seen: 2,
    find: '  forgetLease(state, lease);\n  give(state, job, block, runs, lease.id);',
    put: '  give(state, job, block, runs, lease.id);\n  void forgetLease;',
  },
  {
    name: 'counters are written absolute',
    seen: 2,
    find: 'setProgress(job, changedProgress(job.progress, change), undo);',
    put: 'void changedProgress;\n    setProgress(job, progress, undo);',
  },
  {
    name: 'inputs that tasks gave take the places that their server thought free',
    seen: 26,
    find: "    return { ...write, first: known(disk, write.job, 'inputs').inputsEnd };\n",
    put: '    return write;\n',
  },
  {
    name: 'inputs are taken for those of another job',
    seen: 207,
    find: 'brought.job === job && brought.first === first',
    put: 'brought.first === first',
  },
  {
    name: 'results that were passed on are passed on again after a start',
    seen: 41,
    find: 'const left = Math.min(count, this.#leaveOut);',
    put: 'const left = Math.min(count, 0 * this.#leaveOut);',
  },
  {
    name: 'each server passes the same results on',
    seen: 18,
    find: '    return this.#servers[0]?.epoch === this.#epoch;\n',
    put: '    return this.#servers.length > 0;\n',
  },
  {
    name: 'a server without workers keeps what waits',
    seen: 19,
    find: '  if (!canRunHere(job)) return giveAll(state, job);\n',
    put: '  if (!canRunHere(job)) void giveAll;\n',
  },
  {
    name: 'lease timer not re-armed after adoption',
    seen: 34,
    find: 'for (const [worker, grace] of patience) state.timers.set(state.now + grace, () => giveUp(state, worker));',
    put: 'void giveUp;',
  },
  {
    name: 'result accepted after cancel',
    seen: 5,
    find: "if (job !== undefined) endJob(state, job, 'cancel', event.reason);",
    put: "if (job !== undefined) state.timers.set(state.now + 500, () => endJob(state, job, 'cancel', event.reason));",
  },
  {
    name: 'idempotency key forgotten at recovery',
    seen: 9,
    find: '      if (this.#member !== undefined) this.#member.join();\n',
    put: '      disk.idempotency.clear();\n      if (this.#member !== undefined) this.#member.join();\n',
  },
  {
    name: 'garbage collected before it is referred to',
    seen: 2,
    find: 'for await (const sha256 of blobs.list(olderThan)) {',
    put: 'olderThan = Infinity;\n  for await (const sha256 of blobs.list(olderThan)) {',
  },
  {
    name: 'retry counter not persisted',
    seen: 22,
    find: 'rows.push({ index, count: 1, charged, failedOn,',
    put: 'rows.push({ index, count: 1, charged: 0 * charged, failedOn,',
  },
  {
    name: 'heartbeat from an old connection renews the new lease',
    seen: 301,
    find: 'if (this.id !== undefined && !this.#over) this.#gateway.heard(this.id, roundTrip);',
    put: 'if (this.id !== undefined) this.#gateway.heard(this.id, roundTrip);',
  },
  {
    name: 'segment number not persisted',
    seen: 1,
    find: '    this.segments = progress.segments;\n',
    put: '    this.segments = 0;\n',
  },
  {
    name: 'poison counter reset on restart',
    seen: 21,
    find: 'const trouble: Trouble = { charged, failedOn, failedLease, losses, lostWorkers, notBefore };',
    put: 'const trouble: Trouble = { charged, failedOn, failedLease, losses: 0, lostWorkers: [], notBefore };',
  },
  {
    name: 'drain forgets waiting tasks',
    seen: 24,
    find: 'return this.#release(message.lease, this.#work.takeBack(message.lease, runsIn(message)));',
    put: 'return void this.#work.takeBack(message.lease, runsIn(message));',
  },
  {
    name: 'what a failed attempt gave its job is kept',
    seen: 15,
    find: 'appendSpawned(state, job, event, subtractRuns(runs, failed));',
    put: 'appendSpawned(state, job, event, event.runs);',
  },
];

const source = path.join(import.meta.dirname, '../../src');

/** The file of the program in which the bug can be planted; refuses one whose text has changed. */
export function placeOf({ name, find }: Bug): string {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /(?<!\.test)\.ts$/.test(file),
  );
  const places = files.filter((file) => readFileSync(path.join(source, file), 'utf8').split(find).length === 2);
  if (places.length === 1) return path.join(source, places[0] as string);
  throw new Error(
    `the bug '${name}' can be planted in ${places.length} places, not one: look for the text it changes, and say in planted.ts what it is now`,
  );
}

/** From now on the program is loaded with this bug in it. */
export function plantBug(name: string): void {
  const bug = BUGS.find((each) => each.name === name);
  if (bug === undefined) throw new Error(`there is no bug '${name}': ${BUGS.map((each) => each.name).join(', ')}`);
  const place = placeOf(bug);
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.startsWith('file:') || new URL(url).pathname !== place) return loaded;
      return { ...loaded, source: String(loaded.source).replace(bug.find, () => bug.put) };
    },
  });
}
