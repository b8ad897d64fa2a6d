import type { Authority } from '../auth/authority.ts';
import type { BootDesk } from '../boot/boot-desk.ts';
import type { Core } from '../core.ts';
import type { Feed } from '../feed.ts';
import type { Metrics } from '../metrics.ts';
import type { PollSessions } from '../polls/poll-sessions.ts';
import type { PyodideFiles } from '../pyodide.ts';
import { backupRoutes } from './backup.ts';
import { blobRoutes } from './blobs.ts';
import { bootRoutes } from './boot.ts';
import { enrolmentRoutes } from './enrolments.ts';
import { eventRoutes } from './events.ts';
import { healthRoutes } from './health.ts';
import { inputRoutes } from './inputs.ts';
import { jobRoutes } from './jobs.ts';
import { logRoutes } from './logs.ts';
import { apiRoute } from './openapi.ts';
import { pageRoutes } from './pages.ts';
import { pollRoutes } from './polls.ts';
import { pyodideRoutes } from './pyodide.ts';
import { resultFileRoutes } from './result-files.ts';
import { resultRoutes } from './results.ts';
import type { Route } from './route.ts';
import { submitRoute } from './submit.ts';
import { taskRoutes } from './tasks.ts';
import { timelineRoutes } from './timeline.ts';
import { tokenRoutes } from './tokens.ts';
import { upgradeRoutes } from './upgrade.ts';
import { workerRoutes } from './workers.ts';

export interface RouteParts {
  readonly core: Core;
  readonly feed: Feed;
  readonly authority: Authority;
  readonly metrics: Metrics;
  readonly polls: PollSessions;
  readonly dataDir: string;
  /** Origins of other pages that lend their visitors' devices. */
  readonly lenders: readonly string[];
  readonly pyodide: PyodideFiles | undefined;
  readonly boot: BootDesk;
}

/** Everything this server answers to over HTTP. Making the table asks nothing of the parts. */
export function allRoutes(parts: RouteParts): Route[] {
  const { core, feed, authority, metrics, polls, dataDir, lenders, pyodide, boot } = parts;
  const routes: Route[] = [
    submitRoute(core),
    ...jobRoutes(core),
    ...inputRoutes(core),
    ...resultRoutes(core),
    ...resultFileRoutes(core),
    ...taskRoutes(core),
    ...timelineRoutes(core),
    ...logRoutes(core),
    ...workerRoutes(core, feed),
    ...pollRoutes(polls),
    ...blobRoutes(core.blobs),
    ...pyodideRoutes(pyodide),
    ...eventRoutes(feed),
    ...tokenRoutes(authority),
    ...enrolmentRoutes(authority),
    ...bootRoutes(boot, () => core.workersByToken()),
    ...backupRoutes(core, dataDir),
    ...upgradeRoutes(),
    ...healthRoutes(metrics),
    ...pageRoutes(lenders),
  ];
  routes.push(apiRoute(() => routes));
  return routes;
}
