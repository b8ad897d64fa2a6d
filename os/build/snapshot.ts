import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { BuildFailure } from './failure.ts';
import type { Input } from './lock.ts';
import { run } from './tools.ts';

/** Debian's archive of all packages that there ever were. In the environment, SNAPSHOT names another that answers like it. */
const archive = process.env['SNAPSHOT'] || 'http://snapshot.debian.org';

/** What it says of a version of a package: one file for each architecture, by the archive's own name for its bytes. */
interface Answer {
  readonly result: readonly { readonly architecture: string; readonly hash: string }[];
}

/** Puts a package that mirrors no longer have into `folder`. By the machine's apt, which knows of proxies; `env` is for it. */
export function fetchOld(
  { name, version, sha256 }: Input,
  debian: string,
  folder: string,
  env: NodeJS.ProcessEnv,
): void {
  const drafts = mkdtempSync(path.join(folder, '.old-'));
  const get = (address: string, ...hash: string[]): string => {
    const draft = path.join(drafts, path.basename(address));
    run('apt-helper', ['download-file', `${archive}${address}`, draft, ...hash], { env });
    return draft;
  };
  try {
    const told = get(`/mr/binary/${name}/${encodeURIComponent(version)}/binfiles`);
    const { result } = JSON.parse(readFileSync(told, 'utf8')) as Answer;
    const found = result.find(({ architecture }) => architecture === debian || architecture === 'all');
    if (found === undefined) throw new BuildFailure(`${archive} has no ${name} ${version} for ${debian}`);
    const draft = get(`/file/${found.hash}`, `SHA256:${sha256}`);
    renameSync(draft, path.join(folder, `${name}_${version.replaceAll(':', '%3a')}_${found.architecture}.deb`));
  } finally {
    rmSync(drafts, { recursive: true });
  }
}
