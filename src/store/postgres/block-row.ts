import type { BlockRecord } from '../../model/job.ts';
import type { Row } from './connection.ts';

export function blockOf(row: Row): BlockRecord {
  const { job, first, count, generation, epoch, part, ended, exceptions } = row;
  return {
    job,
    first,
    count,
    generation,
    ...(ended !== null && { ended }),
    exceptions: exceptions === null ? [] : JSON.parse(exceptions),
    epoch,
    ...(part !== 0 && { part }),
  };
}
