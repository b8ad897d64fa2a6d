import type { Question } from '../harness/figures.ts';
import { batches } from './batches.ts';
import { blobs } from './blobs.ts';
import { browser } from './browser.ts';
import { efficiency } from './efficiency.ts';
import { idle } from './idle.ts';
import { singles } from './latency.ts';
import { ledger } from './ledger.ts';
import { limits } from './limits.ts';
import { losses } from './losses.ts';
import { oldSnapshot } from './old-snapshot.ts';
import { payload } from './payload.ts';
import { python } from './python.ts';
import { queue } from './queue.ts';
import { serverCosts } from './server-costs.ts';
import { servers, siblings } from './servers.ts';
import { objects, squares } from './throughput.ts';

export const questions: readonly Question[] = [
  limits,
  squares,
  objects,
  singles,
  efficiency,
  queue,
  payload,
  losses,
  idle,
  browser,
  python,
  servers,
  siblings,
  serverCosts,
  batches,
  blobs,
  oldSnapshot,
  ledger,
];
