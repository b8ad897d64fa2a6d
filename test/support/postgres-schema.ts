import type { TestPostgres } from './postgres.ts';

/** What stands in a database, as text that people review: its tables with their columns and settings, indexes, functions and sequences. */
export async function schemaOf(server: TestPostgres, database: string): Promise<string> {
  const tables = await server.query(
    `SELECT oid, relname AS name, reloptions AS options FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname`,
    database,
  );
  const parts: string[] = [];
  for (const { oid, name, options } of tables) {
    const columns = await server.query(
      `SELECT format('  %s %s%s%s%s', attname, format_type(atttypid, atttypmod),
           CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END,
           CASE WHEN attidentity <> '' THEN ' GENERATED ALWAYS AS IDENTITY'
             ELSE coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '') END,
           CASE attstorage WHEN 'e' THEN ' STORAGE EXTERNAL' ELSE '' END) AS line
       FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
       WHERE attrelid = ${oid} AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
      database,
    );
    const constraints = await server.query(
      `SELECT format('  %s', pg_get_constraintdef(oid)) AS line FROM pg_constraint
       WHERE conrelid = ${oid} AND contype IN ('p', 'c', 'f') ORDER BY contype, conname`,
      database,
    );
    const indexes = await server.query(
      `SELECT pg_get_indexdef(indexrelid) || ';' AS line FROM pg_index
       WHERE indrelid = ${oid} AND NOT indisprimary ORDER BY indexrelid::regclass::text`,
      database,
    );
    const body = [...columns, ...constraints].map(({ line }) => line).join(',\n');
    const settings = options === null ? '' : ` WITH (${(options as string[]).join(', ')})`;
    parts.push([`CREATE TABLE ${name} (\n${body}\n)${settings};`, ...indexes.map(({ line }) => line)].join('\n'));
  }
  const sequences = await server.query(
    `SELECT 'CREATE SEQUENCE ' || relname || ';' AS line FROM pg_class
     WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
       AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'i') ORDER BY relname`,
    database,
  );
  const functions = await server.query(
    `SELECT pg_get_functiondef(oid) || ';' AS line FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY proname`,
    database,
  );
  for (const { line } of functions) parts.push((line as string).replace('\n;', ';'));
  return `${[...parts, sequences.map(({ line }) => line).join('\n')].join('\n\n')}\n`;
}
