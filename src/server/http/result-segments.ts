import { setImmediate as breath } from 'node:timers/promises';
import type { JobId } from '../../model/ids.ts';
import type { StoredSegment } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { InOrder } from '../in-order.ts';
import { ResultInbox } from '../result-inbox.ts';

/** Who takes what is made of it: once it is gone there is no use in reading on. */
export interface Reader {
  readonly destroyed: boolean;
}

/**
 * What has ended of a job, in the order of its tasks, up to the first that has not. Between two segments the server does
 * what else there is: who reads all of a large job must not keep it for long.
 */
export async function* segmentsInOrder(core: Core, job: JobId, reader: Reader): AsyncGenerator<StoredSegment> {
  const inbox = await ResultInbox.open(core, job, { order: 'index', after: 0, follow: false, defined: false });
  try {
    const order = new InOrder(core.store, 0);
    for await (const arrival of inbox) {
      if (arrival.kind === 'batch') order.add(arrival.stored);
      for await (const stored of arrival.kind === 'batch' ? order.ready() : order.upTo(arrival.next)) {
        yield stored;
        await breath();
        if (reader.destroyed) return;
      }
    }
  } finally {
    inbox.close();
  }
}
