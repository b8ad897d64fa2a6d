import type { Epoch, JobId, LeaseId } from '../../model/ids.ts';
import type { BlockRecord, LeaseRecord } from '../../model/job.ts';
import { splitBlock } from '../parts.ts';
import type { ClaimedBlock, TakenOver } from '../store.ts';
import { concatenated, lines, numbers } from './arrays.ts';
import { blockOf } from './block-row.ts';
import { type Connection, type Row, type Rows, type Statement, together } from './connection.ts';
import type { Change } from './members.ts';
import { commitStatements } from './statements.ts';

const sql = {
  /** The jobs first, as whoever ends one does. */
  jobs: {
    name: 'manyhands_jobs_of_leases',
    text: `SELECT id FROM jobs WHERE id IN (SELECT job FROM leases WHERE lease = ANY ($1::bigint[]))
      ORDER BY id FOR NO KEY UPDATE`,
  },
  leases: {
    name: 'manyhands_leases_of_others',
    text: `SELECT lease, holder, record, EXISTS (SELECT 1 FROM members WHERE epoch = holder AND over_at IS NULL) AS held
      FROM leases WHERE lease = ANY ($1::bigint[]) AND holder <> $2 ORDER BY lease FOR UPDATE`,
  },
  blocks: {
    name: 'manyhands_blocks_of_others',
    text: `SELECT blocks.* FROM blocks JOIN (SELECT DISTINCT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])) AS t (job, first, epoch)
      USING (job, first, epoch) ORDER BY job, first, epoch, part FOR UPDATE OF blocks`,
  },
  parts: { name: 'manyhands_parts', text: `SELECT nextval('part_numbers') AS part FROM generate_series(1, $1)` },
  holders: {
    name: 'manyhands_holders',
    text: `UPDATE leases SET holder = $1, change = $2 WHERE lease = ANY ($3::bigint[])`,
  },
  inputs: {
    name: 'manyhands_inputs_of_parts',
    text: `SELECT job, first, packed FROM inputs JOIN unnest($1::bigint[], $2::bigint[]) AS t (job, first) USING (job, first)`,
  },
} satisfies Record<string, Statement>;

interface Look {
  readonly leases: readonly { lease: LeaseRecord; holder: Epoch; held: boolean }[];
  readonly blocks: BlockRecord[];
}

/** Tasks of servers that are over, whose workers came here (D21). */
export function takeOverOf(leases: readonly LeaseId[], epoch: Epoch): Change<Look, TakenOver> {
  return {
    async look(connection) {
      const ids = numbers(leases);
      const [, found] = await together([connection.query(sql.jobs, [ids]), connection.query(sql.leases, [ids, epoch])]);
      const asked = new Map(found.rows.map((row) => [row['lease'] as LeaseId, leaseOf(row)]));
      const inOrder = leases.flatMap((id) => asked.get(id) ?? []);
      const free = inOrder.filter(({ held }) => !held);
      if (free.length === 0) return { leases: inOrder, blocks: [] };
      const { rows } = await connection.query(sql.blocks, [
        numbers(free.map(({ lease }) => lease.job)),
        numbers(free.map(({ lease }) => lease.block)),
        numbers(free.map(({ holder }) => holder)),
      ]);
      return { leases: inOrder, blocks: rows.map(blockOf) };
    },
    async write(connection, look, number) {
      const taken = look.leases.filter(({ held }) => !held);
      const rows = new Map<string, { before: BlockRecord; now: BlockRecord | undefined }>();
      for (const block of look.blocks) rows.set(nameOf(block), { before: block, now: block });
      const parts: BlockRecord[] = [];
      for (const { lease, holder } of taken) parts.push(...take(rows, lease, holder));
      const value: TakenOver = {
        blocks: await withInputs(connection, await numbered(connection, parts, epoch)),
        leases: taken.map(({ lease }) => lease),
        held: look.leases.flatMap(({ lease, holder, held }) => (held ? [{ lease: lease.lease, holder }] : [])),
      };
      const changed = [...rows.values()].filter(({ before, now }) => before !== now);
      const gone = changed.filter(({ now }) => now === undefined).map(({ before }) => before);
      const kept = [...changed.flatMap(({ now }) => now ?? []), ...value.blocks.map(({ block }) => block)];
      const sent = [connection.query(sql.holders, [epoch, number, numbers(value.leases.map(({ lease }) => lease))])];
      if (gone.length > 0) sent.push(connection.query(commitStatements.blocksEnded, names(gone)));
      if (kept.length > 0) sent.push(write(connection, kept));
      return { value, sent };
    },
  };
}

function leaseOf(row: Row): Look['leases'][number] {
  return { lease: JSON.parse(row['record']) as LeaseRecord, holder: row['holder'], held: row['held'] };
}

function nameOf({ job, first, epoch, part }: BlockRecord): string {
  return `${job}/${first}/${epoch}/${part ?? 0}`;
}

/** What is open of the lease's tasks leaves the rows of its holder. */
function take(
  rows: Map<string, { before: BlockRecord; now: BlockRecord | undefined }>,
  lease: LeaseRecord,
  holder: Epoch,
): BlockRecord[] {
  const taken: BlockRecord[] = [];
  for (const row of rows.values()) {
    const { now } = row;
    if (now === undefined || now.job !== lease.job || now.first !== lease.block || now.epoch !== holder) continue;
    const split = splitBlock(now, lease.runs);
    if (split.taken === undefined) continue;
    row.now = split.rest && { ...now, ...split.rest };
    taken.push(split.taken);
  }
  return taken;
}

async function numbered(connection: Connection, parts: readonly BlockRecord[], epoch: Epoch): Promise<BlockRecord[]> {
  if (parts.length === 0) return [];
  const { rows } = await connection.query(sql.parts, [parts.length]);
  return parts.map((part, at) => ({ ...part, epoch, part: rows[at]?.['part'] as number }));
}

async function withInputs(connection: Connection, blocks: readonly BlockRecord[]): Promise<ClaimedBlock[]> {
  if (blocks.length === 0) return [];
  const [jobs, firsts] = [numbers(blocks.map(({ job }) => job)), numbers(blocks.map(({ first }) => first))];
  const { rows } = await connection.query(sql.inputs, [jobs, firsts]);
  const inputs = new Map(rows.map((row) => [`${row['job']}/${row['first']}`, row['packed'] as Uint8Array]));
  return blocks.map((block) => {
    const found = inputs.get(`${block.job satisfies JobId}/${block.first}`);
    return found === undefined ? { block } : { block, inputs: found };
  });
}

function names(blocks: readonly BlockRecord[]): string[] {
  return [
    numbers(blocks.map(({ job }) => job)),
    numbers(blocks.map(({ first }) => first)),
    numbers(blocks.map(({ epoch }) => epoch)),
    numbers(blocks.map(({ part }) => part ?? 0)),
  ];
}

function write(connection: Connection, blocks: readonly BlockRecord[]): Promise<Rows> {
  return connection.query(commitStatements.blocks, [
    ...concatenated(blocks.map(({ ended }) => ended)),
    ...names(blocks),
    numbers(blocks.map(({ count }) => count)),
    numbers(blocks.map(({ generation }) => generation)),
    lines(blocks.map(({ exceptions }) => (exceptions.length === 0 ? undefined : JSON.stringify(exceptions)))),
  ]);
}
