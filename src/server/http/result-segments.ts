import type { JobId } from '../../model/ids.ts';
import { readColumn } from '../../protocol/column.ts';
import type { StoredSegment } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { InOrder } from './in-order.ts';
import { outcomesIn, type StoredOutcome } from './records.ts';
import { ResultInbox } from './result-inbox.ts';

/** What has ended of a job, in the order of its tasks, up to the first that has not. */
export async function* segmentsInOrder(core: Core, job: JobId): AsyncGenerator<StoredSegment> {
  const inbox = await ResultInbox.open(core, job, { order: 'index', after: 0, follow: false, defined: false });
  try {
    const order = new InOrder(core.store, 0);
    for await (const arrival of inbox) {
      if (arrival.kind === 'batch') order.add(arrival.stored);
      yield* arrival.kind === 'batch' ? order.ready() : order.upTo(arrival.next);
    }
  } finally {
    inbox.close();
  }
}

/** The same task by task. */
export async function* outcomesInOrder(core: Core, job: JobId): AsyncGenerator<StoredOutcome> {
  for await (const { segment, column } of segmentsInOrder(core, job)) yield* outcomesIn(segment, readColumn(column));
}
