import type { Metrics } from '../metrics.ts';
import { READERS, type Route, route } from './route.ts';

export function healthRoutes(metrics: Metrics): Route[] {
  const health = (method: 'GET' | 'HEAD') =>
    route({
      method,
      path: '/healthz',
      access: 'public',
      page: true,
      summary: 'Says that the server answers, and nothing else.',
      answers: { 200: { description: 'ok', type: 'text/plain' } },
      handle: ({ response }) => {
        response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 3, 'cache-control': 'no-store' });
        response.end('ok\n');
        return undefined;
      },
    });
  return [
    health('GET'),
    health('HEAD'),
    route({
      method: 'GET',
      path: '/metrics',
      access: READERS,
      summary: 'Metrics in the text format of Prometheus.',
      answers: { 200: { description: 'The metrics.', type: 'text/plain' } },
      handle: async ({ response }) => {
        const text = await metrics.text();
        response.writeHead(200, {
          'content-type': metrics.type,
          'content-length': Buffer.byteLength(text),
          'cache-control': 'no-store',
        });
        response.end(text);
        return undefined;
      },
    }),
  ];
}
