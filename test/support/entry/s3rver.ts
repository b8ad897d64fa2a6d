// A server that speaks S3, in a process of its own: `node s3rver.ts DIRECTORY PORT`. It checks signatures.
import { createRequire } from 'node:module';

const S3rver = createRequire(import.meta.url)('@20minutes/s3rver') as new (
  options: object,
) => { run(): Promise<unknown> };
const [directory, port] = process.argv.slice(2);
await new S3rver({ address: '127.0.0.1', port: Number(port), directory, silent: true }).run();
process.stdout.write('listening\n');
