import { endedExcept } from '../../model/bitmaps.ts';
import type { JobId } from '../../model/ids.ts';
import { type BlockRecord, hasEnded, type JobSpec } from '../../model/job.ts';
import { countRuns } from '../../model/runs.ts';
import { failuresByBlock, rangeBlockCount, reopened } from '../reopen.ts';
import { concatenated, lines, numbers } from './arrays.ts';
import { type Connection, type Statement, together } from './connection.ts';
import { type Sent, transaction } from './line.ts';
import { newestProgress, progressArrays, progressOf } from './progress-row.ts';
import { commitStatements } from './statements.ts';

const sql = {
  job: {
    name: 'manyhands_reopen_job',
    text: `SELECT progress.*, spec FROM jobs, ${newestProgress('id')} WHERE id = $1`,
  },
  failed: {
    name: 'manyhands_reopen_failed',
    text: `SELECT record FROM segments WHERE job = $1 AND generation = $2 AND failed > 0 ORDER BY seq`,
  },
  sizes: {
    name: 'manyhands_reopen_sizes',
    text: `SELECT first, count FROM inputs WHERE job = $1 AND first = ANY ($2::bigint[])`,
  },
  frontier: {
    name: 'manyhands_reopen_frontier',
    text: `UPDATE frontiers SET ended = false, claimed_to = $2 WHERE job = $1`,
  },
} satisfies Record<string, Statement>;

/** Opens the failed tasks of the newest generation again, in one transaction (D7). Returns how many. */
export class Reopening {
  readonly #job: JobId;
  /** The generation that a try was about to begin, and its tasks: if it is there at the next one, that one got to its end. */
  #begun: { generation: number; tasks: number } | undefined;

  constructor(job: JobId) {
    this.#job = job;
  }

  async act(connection: Connection): Promise<number> {
    return await transaction(connection, () => this.#reopen(connection));
  }

  async #reopen(connection: Connection): Promise<Sent<number>> {
    const job = this.#job;
    const [, { rows }] = await together([
      connection.query(commitStatements.lock, [[job]]),
      connection.query(sql.job, [job]),
    ]);
    const [row] = rows;
    if (row === undefined) return { value: 0, sent: [] };
    const progress = progressOf(row);
    if (this.#begun?.generation === progress.generation) return { value: this.#begun.tasks, sent: [] };
    if (!hasEnded(progress.state)) return { value: 0, sent: [] };
    const failed = await connection.query(sql.failed, [job, progress.generation]);
    const segments = failed.rows.map(({ record }) => ({ segment: JSON.parse(record) }));
    const open = failuresByBlock(segments, progress.generation);
    if (open.size === 0) return { value: 0, sent: [] };
    const next = reopened(progress);
    const { range } = JSON.parse(row['spec']) as JobSpec;
    const sizes = range === undefined ? await sizesOf(connection, job, [...open.keys()]) : undefined;
    const blocks: BlockRecord[] = [];
    let tasks = 0;
    for (const [first, runs] of open) {
      const count = range === undefined ? (sizes?.get(first) ?? 0) : rangeBlockCount(range, first);
      const ended = endedExcept(first, count, runs);
      blocks.push({ job, first, count, generation: next.generation, ended, exceptions: [], epoch: 0 });
      tasks += countRuns(runs);
    }
    this.#begun = { generation: next.generation, tasks };
    const one = [
      numbers([job]),
      numbers([row['version'] + 1]),
      numbers([row['last_segment']]),
      numbers([row['inputs_end']]),
    ];
    return {
      value: tasks,
      sent: [
        connection.query(commitStatements.leasesOfJobs, [[job]]),
        connection.query(commitStatements.blocksOfJobs, [[job]]),
        connection.query(commitStatements.progress, [...one, ...progressArrays([next])]),
        connection.query(sql.frontier, [job, range?.count ?? row['inputs_end']]),
        connection.query(commitStatements.blocks, blockValues(blocks)),
      ],
    };
  }
}

async function sizesOf(connection: Connection, job: JobId, firsts: readonly number[]): Promise<Map<number, number>> {
  const [{ rows }] = await together([connection.query(sql.sizes, [job, numbers(firsts)])]);
  return new Map(rows.map((row) => [row['first'], row['count']]));
}

function blockValues(blocks: readonly BlockRecord[]): unknown[] {
  return [
    ...concatenated(blocks.map(({ ended }) => ended)),
    numbers(blocks.map(({ job }) => job)),
    numbers(blocks.map(({ first }) => first)),
    numbers(blocks.map(({ epoch }) => epoch)),
    numbers(blocks.map(() => undefined)),
    numbers(blocks.map(({ count }) => count)),
    numbers(blocks.map(({ generation }) => generation)),
    lines(blocks.map(() => undefined)),
  ];
}
