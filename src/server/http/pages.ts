import { Problem } from '../problem.ts';
import { type Asset, assetOf, type Source, sendAsset } from './asset.ts';
import { type Route, route } from './route.ts';
import { type Sandbox, sandboxPage } from './sandbox.ts';

/** The one page there is; its script shows what the address names. It holds no data, so anybody may have it. */
const SHELL = { url: new URL('../../dashboard/entry/shell.html', import.meta.url), type: 'text/html; charset=utf-8' };

/** What is told later wins, and the later ones are of fewer pages. */
const SHEETS = [
  new URL('../../dashboard/entry/base.css', import.meta.url),
  new URL('../../dashboard/entry/forms.css', import.meta.url),
  new URL('../../dashboard/entry/frame.css', import.meta.url),
  new URL('../../dashboard/entry/figures.css', import.meta.url),
  new URL('../../dashboard/entry/farm.css', import.meta.url),
  new URL('../../dashboard/entry/run.css', import.meta.url),
  new URL('../../dashboard/entry/job.css', import.meta.url),
  new URL('../../dashboard/entry/past.css', import.meta.url),
];

const ASSETS: Readonly<Record<string, Source>> = {
  'dashboard.js': {
    url: new URL('../../dashboard/entry/dashboard.ts', import.meta.url),
    type: 'text/javascript; charset=utf-8',
  },
  'readers.js': {
    url: new URL('../../dashboard/entry/readers.ts', import.meta.url),
    type: 'text/javascript; charset=utf-8',
  },
  'dashboard.css': { url: SHEETS, type: 'text/css; charset=utf-8' },
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
  // Where a page that is lent lets tasks run: see sandbox.ts.
  "frame-src 'self'",
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
  ['/join', 'Where a device becomes a worker.'],
  ['/boot', 'Where boot images are made.'],
] as const;

/** `lenders`: origins of pages that may have the frame in which tasks run. */
export function pageRoutes(lenders: readonly string[]): Route[] {
  const files = new Map<Source, Promise<Asset>>();
  /** Read once; what could not be read is tried again. */
  const open = (source: Source): Promise<Asset> => {
    let asset = files.get(source);
    if (asset === undefined) {
      asset = assetOf(source);
      files.set(source, asset);
      asset.catch(() => files.delete(source));
    }
    return asset;
  };
  let sandbox: Promise<Sandbox> | undefined;
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
          sendAsset(await open(SHELL), request, response, { 'content-security-policy': POLICY }),
      }),
    ),
    route({
      method,
      path: '/sandbox',
      access: 'public',
      page: true,
      summary: 'The frame in which a browser that was lent runs tasks.',
      answers: { 200: { description: 'A page that reaches nothing.', type: 'text/html' } },
      handle: async ({ request, response }) => {
        sandbox ??= sandboxPage(lenders);
        const { page, policy } = await sandbox.catch((error: unknown) => {
          sandbox = undefined;
          throw error;
        });
        return sendAsset(page, request, response, { 'content-security-policy': policy });
      },
    }),
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
        return sendAsset(await open(source), request, response, {
          'content-security-policy': "default-src 'none'; sandbox",
        });
      },
    }),
  ]);
}
