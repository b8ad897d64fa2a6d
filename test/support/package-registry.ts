import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { temporaryDirectory } from './directories.ts';

export interface OfferedPackage {
  /** In its `package.json`, beside name and version. */
  readonly about?: Readonly<Record<string, unknown>>;
  /** Texts by name; a URL is a file to be copied. */
  readonly files: Readonly<Record<string, string | URL>>;
}

interface Offer {
  readonly manifest: Record<string, unknown>;
  readonly tarball: Buffer;
}

/** A registry of npm with a few packages, each in version 1.0.0: what npm asks, and no more. */
export class PackageRegistry {
  readonly url: string;
  /** How often each package was fetched, by its name. */
  readonly fetched: ReadonlyMap<string, number>;

  private constructor(url: string, fetched: ReadonlyMap<string, number>) {
    this.url = url;
    this.fetched = fetched;
  }

  static async start(t: Cleanup, packages: Readonly<Record<string, OfferedPackage>>): Promise<PackageRegistry> {
    const folder = temporaryDirectory(t, 'registry');
    const offers = new Map(Object.entries(packages).map(([name, each]) => [name, packed(folder, name, each)]));
    const fetched = new Map<string, number>();
    const server = createServer(({ url = '', headers }, response) => {
      const [name = '', isTarball] = decodeURIComponent(url.slice(1)).split('/-/');
      const offer = offers.get(name);
      if (offer === undefined) return response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
      if (isTarball !== undefined) {
        fetched.set(name, (fetched.get(name) ?? 0) + 1);
        return response.end(offer.tarball);
      }
      const tarball = `http://${headers.host}/${name}/-/${name}-1.0.0.tgz`;
      const integrity = `sha512-${createHash('sha512').update(offer.tarball).digest('base64')}`;
      const version = { ...offer.manifest, dist: { tarball, integrity } };
      return response.end(JSON.stringify({ name, 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': version } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUp(t, () => void server.close());
    return new PackageRegistry(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, fetched);
  }

  /** What npm shall find in its environment, to ask this registry and to keep nothing for others. */
  environment(t: Cleanup): Record<string, string> {
    return { npm_config_registry: this.url, npm_config_cache: temporaryDirectory(t, 'npm') };
  }
}

function packed(folder: string, name: string, { about, files }: OfferedPackage): Offer {
  const manifest = { name, version: '1.0.0', ...about };
  const root = path.join(folder, name, 'package');
  mkdirSync(root, { recursive: true });
  writeFileSync(path.join(root, 'package.json'), JSON.stringify(manifest));
  for (const [file, content] of Object.entries(files)) {
    if (content instanceof URL) cpSync(content, path.join(root, file));
    else writeFileSync(path.join(root, file), content);
  }
  const tarball = path.join(folder, `${name}.tgz`);
  execFileSync('tar', ['-czf', tarball, '-C', path.join(folder, name), 'package']);
  return { manifest, tarball: readFileSync(tarball) };
}
