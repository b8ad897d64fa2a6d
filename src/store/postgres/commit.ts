import type { Epoch, JobId } from '../../model/ids.ts';
import { type BlockRecord, hasEnded } from '../../model/job.ts';
import { jobOf, type Write } from '../../model/records.ts';
import { concatenated, lines, numbers, truths } from './arrays.ts';
import { Changes, type Found, type HeldJob, type IdempotencyRow } from './changes.ts';
import { type Connection, type Rows, type Statement, together } from './connection.ts';
import type { Sent } from './line.ts';
import type { Change } from './members.ts';
import { progressArrays, progressOf } from './progress-row.ts';
import { commitStatements as sql } from './statements.ts';

/** A group of writes as a change of rows: what it needs is locked with the first message, all is written with the second. */
export function commitOf(writes: readonly Write[], epoch: Epoch): Change<Found, readonly Write[]> {
  return {
    look: (connection) => look(connection, writes),
    async write(connection, found) {
      const changes = new Changes(found, epoch);
      const value = await changes.take(writes);
      return { value, sent: send(connection, changes, epoch) } satisfies Sent<readonly Write[]>;
    },
  };
}

async function look(connection: Connection, writes: readonly Write[]): Promise<Found> {
  const jobs = new Set<JobId>();
  const keys: { owner: string; key: string }[] = [];
  let isNew = false;
  for (const write of writes) {
    const job = jobOf(write);
    if (job !== undefined) jobs.add(job);
    if (write.kind === 'job') isNew = true;
    if (write.kind === 'idempotency') keys.push(write);
  }
  const ids = numbers([...jobs]);
  const names = [
    lines(keys.map(({ owner }) => JSON.stringify(owner))),
    lines(keys.map(({ key }) => JSON.stringify(key))),
  ];
  const [, locked, forgetting, idempotent] = await together<[Rows, Rows, Rows, Rows]>([
    jobs.size === 0 ? nothing : connection.query(sql.lock, [ids]),
    jobs.size === 0 ? nothing : connection.query(sql.held, [ids]),
    isNew ? connection.query(sql.beingForgotten, [ids]) : nothing,
    keys.length === 0 ? nothing : connection.query(sql.idempotent, names),
  ]);
  return {
    jobs: new Map(locked.rows.map((row) => [row['job'] as JobId, heldJob(row)])),
    forgetting: new Set(forgetting.rows.map((row) => row['job'] as JobId)),
    idempotency: idempotent.rows.map((row) => idempotencyOf(row)),
    async storedInputs(job, first) {
      const { rows } = await connection.query(sql.storedInputs, [job, first]);
      return rows[0] as { count: number; packed: Uint8Array } | undefined;
    },
  };
}

const nothing: Promise<Rows> = Promise.resolve({ rows: [], count: 0, command: '' });

function heldJob(row: Rows['rows'][number]): HeldJob {
  const { last_segment: lastSegment, inputs_end: inputsEnd, claimed_to: claimedTo } = row;
  return { progress: progressOf(row), version: row['version'], lastSegment, inputsEnd, claimedTo, isChanged: false };
}

export function idempotencyOf(row: Rows['rows'][number]): IdempotencyRow {
  const { owner, key, job, digest } = row;
  return { owner: JSON.parse(owner), key: JSON.parse(key), job, digest: JSON.parse(digest) };
}

type Query = readonly [Statement, readonly unknown[]];

function send(connection: Connection, changes: Changes, epoch: Epoch): Promise<Rows>[] {
  const queries = [
    ...newJobs(changes),
    ...progress(changes),
    ...inputs(changes),
    ...blocks(changes),
    ...leases(changes, epoch),
    ...handedOver(changes),
    ...ended(changes),
    ...segments(changes),
    ...rareRecords(changes),
  ];
  return queries.map(([statement, values]) => connection.query(statement, values));
}

function* newJobs({ jobs }: Changes): Generator<Query> {
  const fresh = [...jobs].filter(([, { spec }]) => spec !== undefined);
  if (fresh.length === 0) return;
  const ids = numbers(fresh.map(([id]) => id));
  yield [sql.jobs, [ids, lines(fresh.map(([, { spec }]) => JSON.stringify(spec)))]];
  yield [sql.newProgress, progressValues(fresh)];
  const ranges = numbers(fresh.map(([, { spec }]) => spec?.range?.count));
  yield [
    sql.frontiers,
    [
      ids,
      ranges,
      truths(
        fresh.map(
          ([
            ,
            {
              progress: { state },
            },
          ]) => hasEnded(state),
        ),
      ),
    ],
  ];
}

function* progress({ jobs, claimedTo }: Changes): Generator<Query> {
  const changed = [...jobs].filter(([, { spec, isChanged }]) => spec === undefined && isChanged);
  if (changed.length > 0) yield [sql.progress, progressValues(changed)];
  if (claimedTo.size > 0) yield [sql.claimedTo, [numbers([...claimedTo.keys()]), numbers([...claimedTo.values()])]];
}

function progressValues(rows: readonly (readonly [JobId, HeldJob])[]): string[] {
  return [
    numbers(rows.map(([id]) => id)),
    numbers(rows.map(([, { version }]) => version + 1)),
    numbers(rows.map(([, { lastSegment }]) => lastSegment)),
    numbers(rows.map(([, { inputsEnd }]) => inputsEnd)),
    ...progressArrays(rows.map(([, held]) => held.progress)),
  ];
}

function* inputs({ inputs: list }: Changes): Generator<Query> {
  if (list.length === 0) return;
  yield [
    sql.inputs,
    [
      ...concatenated(list.map(({ column }) => column)),
      numbers(list.map(({ job }) => job)),
      numbers(list.map(({ first }) => first)),
      numbers(list.map(({ count }) => count)),
    ],
  ];
}

function* blocks({ blocks: changed, freed, ended: gone }: Changes): Generator<Query> {
  const all = [...changed.values()];
  const over = all.filter(({ block }) => block === undefined).map(({ name }) => name);
  const written = [
    ...all.flatMap(({ name, block }) =>
      block === undefined ? [] : [{ ...block, part: name.part as number | undefined }],
    ),
    ...freed.filter(({ job }) => !gone.has(job)).map((block) => ({ ...block, epoch: 0, part: undefined })),
  ];
  if (over.length > 0) {
    const of = (pick: (name: (typeof over)[number]) => number): string => numbers(over.map(pick));
    yield [
      sql.blocksEnded,
      [of(({ job }) => job), of(({ first }) => first), of((each) => each.epoch), of(({ part }) => part)],
    ];
  }
  if (written.length === 0) return;
  const of = (pick: (block: (typeof written)[number]) => number | undefined): string => numbers(written.map(pick));
  yield [
    sql.blocks,
    [
      ...concatenated(written.map(({ ended: bits }) => bits)),
      of(({ job }) => job),
      of(({ first }) => first),
      of(({ epoch }) => epoch),
      of(({ part }) => part),
      of(({ count }) => count),
      of(({ generation }) => generation),
      lines(written.map(({ exceptions }) => (exceptions.length === 0 ? undefined : JSON.stringify(exceptions)))),
    ],
  ];
}

function* leases({ leases: changed }: Changes, epoch: Epoch): Generator<Query> {
  const written = [...changed.values()].filter((lease) => lease !== undefined);
  const over = [...changed].flatMap(([lease, record]) => (record === undefined ? [lease] : []));
  if (over.length > 0) yield [sql.leasesEnded, [numbers(over)]];
  if (written.length === 0) return;
  yield [
    sql.leases,
    [
      epoch,
      numbers(written.map(({ lease }) => lease)),
      numbers(written.map(({ job }) => job)),
      lines(written.map((lease) => JSON.stringify(lease))),
    ],
  ];
}

/** After the leases: one may have been granted in the same group. */
function* handedOver({ handed, ended: gone }: Changes): Generator<Query> {
  const left = handed.filter(({ block }) => !gone.has(block.job));
  if (left.length === 0) return;
  const of = (pick: (block: BlockRecord) => number): string => numbers(left.map(({ block }) => pick(block)));
  yield [
    sql.handedOver,
    [
      ...concatenated(left.map(({ block }) => block.ended)),
      numbers(left.map(({ lease }) => lease)),
      of(({ job }) => job),
      of(({ first }) => first),
      of(({ count }) => count),
      of(({ generation }) => generation),
      lines(
        left.map(({ block: { exceptions } }) => (exceptions.length === 0 ? undefined : JSON.stringify(exceptions))),
      ),
    ],
  ];
}

/** Claims see it in the row that they lock, so nothing is claimed after its blocks are gone. */
function* ended({ ended: jobs }: Changes): Generator<Query> {
  if (jobs.size === 0) return;
  const ids = numbers([...jobs]);
  yield [sql.ended, [ids]];
  yield [sql.blocksOfJobs, [ids]];
  yield [sql.leasesOfJobs, [ids]];
  yield [sql.hungerOfJobs, [ids]];
}

function* segments({ segments: list }: Changes): Generator<Query> {
  if (list.length === 0) return;
  const of = (pick: (segment: (typeof list)[number]['segment']) => number): string =>
    numbers(list.map(({ segment }) => pick(segment)));
  yield [
    sql.segments,
    [
      ...concatenated(list.map(({ column }) => column)),
      of(({ job }) => job),
      of(({ seq }) => seq),
      of(({ block }) => block),
      of(({ generation }) => generation),
      of(({ failed }) => failed),
      lines(list.map(({ segment }) => JSON.stringify(segment))),
    ],
  ];
}

function* rareRecords(changes: Changes): Generator<Query> {
  const { attempts, logs, tokens, tokenWrites, blobRefs, idempotency } = changes;
  const ofTasks = (list: readonly { job: JobId; index: number }[]): string[] => [
    numbers(list.map(({ job }) => job)),
    numbers(list.map(({ index }) => index)),
    lines(list.map((record) => JSON.stringify(record))),
  ];
  const texts = (list: readonly string[]): string => lines(list.map((text) => JSON.stringify(text)));
  if (attempts.length > 0) yield [sql.attempts, ofTasks(attempts)];
  if (logs.length > 0) yield [sql.logs, ofTasks(logs)];
  if (tokens.size > 0) {
    yield [sql.tokens, [texts([...tokens.keys()]), lines([...tokens.values()].map((token) => JSON.stringify(token)))]];
    yield [sql.tokenWrites, [tokenWrites]];
  }
  if (blobRefs.length > 0) {
    yield [sql.blobRefs, [lines(blobRefs.map(({ sha256 }) => sha256)), numbers(blobRefs.map(({ job }) => job))]];
  }
  const keys = [...idempotency.values()];
  if (keys.length === 0) return;
  yield [
    sql.idempotency,
    [
      texts(keys.map(({ owner }) => owner)),
      texts(keys.map(({ key }) => key)),
      numbers(keys.map(({ job }) => job)),
      texts(keys.map(({ digest }) => digest)),
    ],
  ];
}
