import { after } from 'node:test';
import { TestPostgres } from '../../../test/support/postgres.ts';
import { sharedStoreContract } from '../../testing/store-contract.ts';
import { openPostgresStore, type PostgresStore } from './postgres-store.ts';

// The rules are of what is stored; what a failing disk leaves is PostgreSQL's own matter, so these many databases are made quickly.
const server = await TestPostgres.start({ fsync: 'off' });
after(() => server.remove());

sharedStoreContract('PostgreSQL', async () => {
  const { url, name } = await server.database();
  return {
    open: () => openPostgresStore(url),
    crash: async (store) => (store as PostgresStore).crash(),
    // To wait would take as long, and would depend on how busy this machine is.
    async later(time) {
      const before = `- interval '${time} milliseconds'`;
      const earlier = { beats: ['alive_until', 'steady_since'], members: ['over_at'], hunger: ['at'] };
      for (const [table, columns] of Object.entries(earlier)) {
        const set = columns.map((column) => `${column} = ${column} ${before}`);
        await server.query(`UPDATE ${table} SET ${set.join()}`, name);
      }
    },
    remove: async () => undefined,
  };
});
