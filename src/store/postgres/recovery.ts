import type { Epoch } from '../../model/ids.ts';
import type { LeaseRecord } from '../../model/job.ts';
import type { Recovered } from '../store.ts';
import { blockOf } from './block-row.ts';
import { type Statement, together } from './connection.ts';
import type { Change } from './members.ts';
import { read } from './reader.ts';

const OPEN = '(SELECT job FROM frontiers WHERE NOT ended)';

const sql = {
  blocks: {
    name: 'manyhands_recover_blocks',
    text: `UPDATE blocks SET epoch = $2 WHERE epoch = ANY ($1::bigint[]) AND epoch <> 0 AND job IN ${OPEN} RETURNING *`,
  },
  leases: {
    name: 'manyhands_recover_leases',
    text: `UPDATE leases SET holder = $2 WHERE holder = ANY ($1::bigint[]) AND job IN ${OPEN} RETURNING record`,
  },
} satisfies Record<string, Statement>;

/** What this process held under its earlier epochs is this one's (D2, D21). */
export function recoveryOf(epochs: readonly Epoch[], epoch: Epoch, history: number): Change<undefined, Recovered> {
  return {
    look: async () => undefined,
    async write(connection) {
      const [blocks, leases, jobs, forgetting] = await together([
        connection.query(sql.blocks, [epochs, epoch]),
        connection.query(sql.leases, [epochs, epoch]),
        read.openJobs(connection),
        read.forgetting(connection),
      ]);
      const held = blocks.rows.map(blockOf);
      const granted = leases.rows.map(({ record }) => JSON.parse(record) as LeaseRecord);
      return {
        value: {
          jobs,
          blocks: held.sort((a, b) => a.job - b.job || a.first - b.first || (a.part ?? 0) - (b.part ?? 0)),
          leases: granted.sort((a, b) => a.lease - b.lease),
          forgetting,
          ...(history > 0 && { history }),
        },
        sent: [],
      };
    },
  };
}
