/** One name in an archive: a path from the root, without the slash. Permissions as in chmod; everything belongs to root. */
export type CpioEntry =
  | { readonly name: string; readonly kind: 'directory'; readonly permissions?: number }
  | { readonly name: string; readonly kind: 'file'; readonly bytes: Uint8Array; readonly permissions?: number }
  | { readonly name: string; readonly kind: 'link'; readonly target: string }
  | { readonly name: string; readonly kind: 'device'; readonly major: number; readonly minor: number };

/** Seconds since 1970 that every file was changed at: the first of January 2026. The same files are the same bytes. */
export const CPIO_CHANGED = 1_767_225_600;

const DIRECTORY = 0o040_000;
const FILE = 0o100_000;
const LINK = 0o120_000;
const CHARACTER_DEVICE = 0o020_000;

/** Heads, names and contents each begin at a multiple of this; boot loaders like whole blocks. */
const ALIGNED = 4;
const BLOCK = 512;

const encoder = new TextEncoder();

/**
 * An archive as the Linux kernel unpacks it into its first file system: cpio in the form called newc. Folders that are not
 * given are made, since the kernel would leave out what is in them without a word.
 */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const all = withFolders(entries);
  const parts: Uint8Array[] = [];
  let size = 0;
  const add = (part: Uint8Array): void => {
    parts.push(part);
    size += part.length;
  };
  const put = (entry: CpioEntry | undefined, number: number): void => {
    const content = entry === undefined ? new Uint8Array() : contentOf(entry);
    add(headOf(entry, number, content.length));
    add(padding(size, ALIGNED));
    add(content);
    add(padding(size, ALIGNED));
  };
  all.forEach((entry, i) => {
    put(entry, i + 1);
  });
  put(undefined, 0);
  add(padding(size, BLOCK));
  const archive = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

/** In the order of their names, which has folders before what is in them. */
function withFolders(entries: readonly CpioEntry[]): CpioEntry[] {
  const all = new Map<string, CpioEntry>();
  for (const entry of entries) {
    const parts = entry.name.split('/');
    if (parts.some((part) => part === '' || part === '.' || part === '..') || entry.name.includes('\0'))
      throw new TypeError(`${JSON.stringify(entry.name)} is no path from the root of an archive`);
    if (all.has(entry.name)) throw new TypeError(`${JSON.stringify(entry.name)} is twice in an archive`);
    all.set(entry.name, entry);
  }
  for (const { name } of entries) {
    for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1)) {
      const folder = name.slice(0, end);
      const known = all.get(folder);
      if (known !== undefined && known.kind !== 'directory')
        throw new TypeError(`${JSON.stringify(name)} lies in ${JSON.stringify(folder)}, which is no directory`);
      if (known === undefined) all.set(folder, { name: folder, kind: 'directory' });
    }
  }
  return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function contentOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === 'file') return entry.bytes;
  return entry.kind === 'link' ? encoder.encode(entry.target) : new Uint8Array();
}

/** Thirteen numbers of eight digits after their magic, then the name. `undefined`: what ends an archive. */
function headOf(entry: CpioEntry | undefined, number: number, size: number): Uint8Array {
  const name = encoder.encode(`${entry?.name ?? 'TRAILER!!!'}\0`);
  const [major, minor] = entry?.kind === 'device' ? [entry.major, entry.minor] : [0, 0];
  const links = entry?.kind === 'directory' ? 2 : 1;
  const changed = entry === undefined ? 0 : CPIO_CHANGED;
  const numbers = [number, modeOf(entry), 0, 0, links, changed, size, 0, 0, major, minor, name.length, 0];
  const digits = encoder.encode(`070701${numbers.map((each) => each.toString(16).padStart(8, '0')).join('')}`);
  const head = new Uint8Array(digits.length + name.length);
  head.set(digits);
  head.set(name, digits.length);
  return head;
}

function modeOf(entry: CpioEntry | undefined): number {
  switch (entry?.kind) {
    case undefined:
      return 0;
    case 'directory':
      return DIRECTORY | (entry.permissions ?? 0o755);
    case 'file':
      return FILE | (entry.permissions ?? 0o644);
    case 'link':
      return LINK | 0o777;
    case 'device':
      return CHARACTER_DEVICE | 0o600;
  }
}

function padding(at: number, whole: number): Uint8Array {
  return new Uint8Array((whole - (at % whole)) % whole);
}
