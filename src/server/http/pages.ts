import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Problem } from '../problem.ts';
import { bundleForBrowsers } from './bundle.ts';
import { type Route, route } from './route.ts';

/** The one page there is; its script shows what the address names. It holds no data, so anybody may have it. */
const SHELL = { url: new URL('../../dashboard/entry/shell.html', import.meta.url), type: 'text/html; charset=utf-8' };

const ASSETS: Readonly<Record<string, Source>> = {
  'dashboard.js': {
    url: new URL('../../dashboard/entry/dashboard.ts', import.meta.url),
    type: 'text/javascript; charset=utf-8',
  },
  'readers.js': {
    url: new URL('../../dashboard/entry/readers.ts', import.meta.url),
    type: 'text/javascript; charset=utf-8',
  },
  'dashboard.css': {
    url: new URL('../../dashboard/entry/dashboard.css', import.meta.url),
    type: 'text/css; charset=utf-8',
  },
  'icon.svg': { url: new URL('../../dashboard/entry/icon.svg', import.meta.url), type: 'image/svg+xml' },
};

/**
 * What a page of ours may do: run our script, wear our style, talk to this server. Nothing inline, nothing from elsewhere,
 * and no text becomes markup, whoever wrote it. (T-6)
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const PAGES = [
  ['/', 'The dashboard: what the farm does now.'],
  ['/jobs/:job', 'The page of a job.'],
  ['/jobs/:job/tasks/:index', 'The page of a task.'],
  ['/workers/:worker', 'The page of a worker.'],
  ['/run', 'The page that runs a function.'],
  ['/join', 'How a device becomes a worker.'],
] as const;

interface Source {
  readonly url: URL;
  readonly type: string;
}

/** A file as it is sent, in both forms. */
interface Asset {
  readonly type: string;
  readonly plain: Buffer;
  readonly packed: Buffer;
  readonly tag: string;
}

export function pageRoutes(): Route[] {
  const files = new Map<Source, Promise<Asset>>();
  /** Read once; what could not be read is tried again. */
  const open = (source: Source): Promise<Asset> => {
    let asset = files.get(source);
    if (asset === undefined) {
      asset = read(source);
      files.set(source, asset);
      asset.catch(() => files.delete(source));
    }
    return asset;
  };
  return (['GET', 'HEAD'] as const).flatMap((method) => [
    ...PAGES.map(([path, summary]) =>
      route({
        method,
        path: path as '/',
        access: 'public',
        page: true,
        machine: path.includes(':'),
        summary,
        answers: { 200: { description: 'A page without data.', type: 'text/html' } },
        handle: async ({ request, response }) =>
          send(await open(SHELL), request, response, { 'content-security-policy': POLICY }),
      }),
    ),
    route({
      method,
      path: '/assets/:file',
      access: 'public',
      page: true,
      summary: 'What the pages are made of.',
      answers: { 200: { description: 'The file.' }, 404: { description: 'There is no such file.' } },
      handle: async ({ params, request, response }) => {
        const source = Object.hasOwn(ASSETS, params.file) ? ASSETS[params.file] : undefined;
        if (source === undefined) throw new Problem('unknown', `the pages have no file ${params.file}`);
        // A picture that is opened by itself must not run anything either.
        return send(await open(source), request, response, {
          'content-security-policy': "default-src 'none'; sandbox",
        });
      },
    }),
  ]);
}

async function read({ url, type }: Source): Promise<Asset> {
  // In the published package the same path, ending in .js, is the bundle.
  const isSource = url.pathname.endsWith('.ts');
  const plain = isSource ? Buffer.from(await bundleForBrowsers(url)) : await readFile(url);
  const packed = await promisify(gzip)(plain, { level: 9 });
  const tag = createHash('sha256').update(plain).digest('base64url').slice(0, 22);
  return { type, plain, packed, tag };
}

function send(
  asset: Asset,
  request: IncomingMessage,
  response: ServerResponse,
  headers: Record<string, string>,
): undefined {
  const isPacked = /\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '');
  const tag = `"${asset.tag}${isPacked ? '-gzip' : ''}"`;
  const common = {
    'cache-control': 'no-cache',
    etag: tag,
    vary: 'accept-encoding',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    ...headers,
  };
  const known = (request.headers['if-none-match'] ?? '').split(',').map((each) => each.trim().replace(/^W\//, ''));
  if (known.includes(tag)) {
    response.writeHead(304, common);
    response.end();
    return undefined;
  }
  const body = isPacked ? asset.packed : asset.plain;
  response.writeHead(200, {
    ...common,
    'content-type': asset.type,
    'content-length': body.length,
    ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
  return undefined;
}
