// Writes the description of the HTTP API, as a server gives it at /v1/openapi.json, to docs/openapi.json. Run it after
// changing a route; a test checks that it was.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describeApi } from '../src/server/http/openapi.ts';
import { allRoutes, type RouteParts } from '../src/server/http/routes.ts';

const root = path.join(import.meta.dirname, '..');
const file = path.join(root, 'docs/openapi.json');
// Making the table asks nothing of its parts.
const parts = { core: {}, feed: {}, authority: {}, metrics: {} } as unknown as RouteParts;
writeFileSync(file, `${JSON.stringify(describeApi(allRoutes(parts)), null, 2)}\n`);
execFileSync(path.join(root, 'node_modules/.bin/biome'), ['format', '--write', file], { stdio: 'inherit' });
