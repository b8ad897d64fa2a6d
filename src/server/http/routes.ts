import type { Authority } from '../auth/authority.ts';
import type { Core } from '../core.ts';
import type { Feed } from '../feed.ts';
import type { Metrics } from '../metrics.ts';
import { blobRoutes } from './blobs.ts';
import { eventRoutes } from './events.ts';
import { healthRoutes } from './health.ts';
import { jobRoutes } from './jobs.ts';
import { apiRoute } from './openapi.ts';
import { pageRoutes } from './pages.ts';
import { resultRoutes } from './results.ts';
import type { Route } from './route.ts';
import { taskRoutes } from './tasks.ts';
import { tokenRoutes } from './tokens.ts';
import { workerRoutes } from './workers.ts';

export interface RouteParts {
  readonly core: Core;
  readonly feed: Feed;
  readonly authority: Authority;
  readonly metrics: Metrics;
}

/** Everything this server answers to over HTTP. Making the table asks nothing of the parts. */
export function allRoutes({ core, feed, authority, metrics }: RouteParts): Route[] {
  const routes: Route[] = [
    ...jobRoutes(core),
    ...resultRoutes(core),
    ...taskRoutes(core),
    ...workerRoutes(core, feed),
    ...blobRoutes(core.blobs),
    ...eventRoutes(feed),
    ...tokenRoutes(authority),
    ...healthRoutes(metrics),
    ...pageRoutes(),
  ];
  routes.push(apiRoute(() => routes));
  return routes;
}
