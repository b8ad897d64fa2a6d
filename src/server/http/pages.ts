import type { Route } from './route.ts';
export function pageRoutes(): Route[] {
  return [];
}
