import pg from 'pg';

const SYNCS = 500;
const GROUPS = 200;
const ROWS = 16;
const ROW_BYTES = 8 * 1024;

/** What a PostgreSQL allows on this machine, with one connection and nothing around it. */
export async function databaseLimits(url: string): Promise<{ commits: number; rows: number }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('CREATE TABLE limit_rows (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, packed bytea)');
    await client.query('ALTER TABLE limit_rows ALTER COLUMN packed SET STORAGE EXTERNAL');
    const insert = {
      name: 'insert',
      text: 'INSERT INTO limit_rows (packed) SELECT $1::bytea FROM generate_series(1, $2::int)',
    };
    const perSecond = async (times: number, rows: number, bytes: number): Promise<number> => {
      const packed = Buffer.alloc(bytes, 'manyhands');
      const began = performance.now();
      for (let i = 0; i < times; i++) await client.query(insert, [packed, rows]);
      return (times * rows * 1_000) / (performance.now() - began);
    };
    return { commits: await perSecond(SYNCS, 1, 1), rows: await perSecond(GROUPS, ROWS, ROW_BYTES) };
  } finally {
    await client.query('DROP TABLE IF EXISTS limit_rows');
    await client.end();
  }
}
