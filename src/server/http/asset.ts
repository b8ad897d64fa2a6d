import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { bundleForBrowsers } from './bundle.ts';

export interface Source {
  /** Of several files all, one after the other. */
  readonly url: URL | readonly URL[];
  readonly type: string;
}

/** A file as it is sent, in both forms. */
export interface Asset {
  readonly type: string;
  readonly plain: Buffer;
  /** Absent: it is always sent as it is. */
  readonly packed?: Buffer;
  readonly tag: string;
}

export async function assetOf({ url, type }: Source): Promise<Asset> {
  const parts = await Promise.all((url instanceof URL ? [url] : url).map(contentOf));
  return packed(Buffer.concat(parts), type);
}

/** What a browser gets for a file of ours. */
export async function contentOf(url: URL): Promise<Buffer> {
  // In the published package the same path, ending in .js, is the bundle.
  const isSource = url.pathname.endsWith('.ts');
  return isSource ? Buffer.from(await bundleForBrowsers(url)) : readFile(url);
}

export async function packed(plain: Buffer, type: string): Promise<Asset> {
  const tag = createHash('sha256').update(plain).digest('base64url').slice(0, 22);
  return { type, plain, packed: await promisify(gzip)(plain, { level: 9 }), tag };
}

export function sendAsset(
  asset: Asset,
  request: IncomingMessage,
  response: ServerResponse,
  headers: Record<string, string>,
): undefined {
  const { packed } = asset;
  const isPacked = packed !== undefined && /\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '');
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
  const body = isPacked ? packed : asset.plain;
  response.writeHead(200, {
    ...common,
    'content-type': asset.type,
    'content-length': body.length,
    ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
  return undefined;
}
