import type { BlockRecord } from '../model/job.ts';
import type { Write } from '../model/records.ts';

/** The caller's bytes may be views of buffers that it uses again, and `slice` of a Buffer is a view too. */
export function copyWrite(write: Write): Write {
  if (write.kind === 'inputs' || write.kind === 'segment') return { ...write, column: new Uint8Array(write.column) };
  if (write.kind === 'block' || write.kind === 'blockFreed' || write.kind === 'handedOver')
    return { ...write, block: copyBlock(write.block) };
  return write;
}

export function copyBlock(block: BlockRecord): BlockRecord {
  return block.ended === undefined ? block : { ...block, ended: new Uint8Array(block.ended) };
}
