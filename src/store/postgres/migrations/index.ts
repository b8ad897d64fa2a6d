import { start } from './0001-start.ts';
import { bucket } from './0002-bucket.ts';
import { timeline } from './0003-timeline.ts';

/** In order, never changed once released: the first one makes version 1. Data written by a later version is refused (D11). */
export const migrations: readonly string[] = [start, bucket, timeline];
