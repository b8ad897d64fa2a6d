import type { Command } from 'commander';
import { findJob } from '../find-job.ts';
import { apiOf, type ServerOptions, withServer } from '../find-server.ts';

interface TraceOptions extends ServerOptions {
  out?: string;
}

/** What ran where and when, for programs that draw it. */
export function addTrace(program: Command): void {
  withServer(
    program.command('trace <job>').description('which worker ran what, and when: for Perfetto or about:tracing'),
  )
    .option('--out <file>', 'write into a file instead of standard output')
    .action(trace);
}

async function trace(job: string, options: TraceOptions): Promise<void> {
  const api = await apiOf(options);
  const id = await findJob(job, api);
  const [{ Out }, { writeTrace }] = await Promise.all([import('../output/out.ts'), import('../trace.ts')]);
  const out = options.out === undefined ? Out.stdout() : Out.file(options.out);
  try {
    await writeTrace(api, id, out);
  } finally {
    out.close();
  }
}
