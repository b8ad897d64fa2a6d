import { Directory, type Fd, File, type Inode, OpenFile, PreopenDirectory, wasi } from '@bjorn3/browser_wasi_shim';
import { WASI_FILES_BYTES } from '../../../model/wasi-limits.ts';

/** The files of one program, in memory. What the library lacks: files that grow at little cost, and an end of the room. */
export class Drive {
  readonly #root: Folder;
  #left = WASI_FILES_BYTES;
  #inodes = 0n;

  constructor(files: Iterable<readonly [path: string, bytes: Uint8Array]>) {
    this.#root = new Folder(this);
    for (const [path, bytes] of files) this.#add(path, bytes);
  }

  /** As the program finds it: the directory that it works in, and the only one there is. */
  open(): Fd {
    const opened = new PreopenDirectory('/', this.#root.contents);
    opened.dir = this.#root;
    return opened;
  }

  /** Every file there is, sorted by path. */
  list(): [path: string, bytes: Uint8Array][] {
    return [...filesIn(this.#root, '')].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Whether so many bytes more find room; a negative number gives them back. */
  take(bytes: number): boolean {
    // Files that were removed are counted out only when the room seems to be used up.
    if (bytes > this.#left) this.#left = WASI_FILES_BYTES - this.list().reduce((sum, [, each]) => sum + each.length, 0);
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  /** The number of the next inode: the library's own would tell how much has run here before. */
  number(): bigint {
    this.#inodes += 1n;
    return this.#inodes;
  }

  #add(path: string, bytes: Uint8Array): void {
    const names = path.split('/');
    const last = names.pop() as string;
    let folder = this.#root;
    for (const name of names) {
      const next = folder.contents.get(name) ?? new Folder(this);
      if (!(next instanceof Folder)) throw new TypeError(`files has ${path}, and a file where its directory would be`);
      folder.contents.set(name, next);
      folder = next;
    }
    if (folder.contents.has(last)) throw new TypeError(`files has the directory ${path}, and a file of that name`);
    if (!this.take(bytes.length)) throw new RangeError(`files has more than ${WASI_FILES_BYTES} bytes`);
    folder.contents.set(last, new StoredFile(this, bytes));
  }
}

function* filesIn(folder: Directory, above: string): Generator<[string, Uint8Array]> {
  for (const [name, inode] of folder.contents) {
    if (inode instanceof File) yield [above + name, inode.data];
    else if (inode instanceof Directory) yield* filesIn(inode, `${above}${name}/`);
  }
}

/** A directory whose new files are {@link StoredFile}s. */
class Folder extends Directory {
  readonly #drive: Drive;

  constructor(drive: Drive) {
    super(new Map());
    this.#drive = drive;
    this.ino = drive.number();
  }

  /** The path has been understood by the library before, and leads to nothing. */
  override create_entry_for_path(path: string, isDirectory: boolean): { ret: number; entry: Inode | null } {
    const names = namesIn(path);
    const last = names.pop();
    let folder: Directory = this;
    for (const name of names) {
      const next = folder.contents.get(name);
      if (next === undefined) return { ret: wasi.ERRNO_NOENT, entry: null };
      if (!(next instanceof Directory)) return { ret: wasi.ERRNO_NOTDIR, entry: null };
      folder = next;
    }
    if (last === undefined || folder.contents.has(last)) return { ret: wasi.ERRNO_EXIST, entry: null };
    const entry = isDirectory ? new Folder(this.#drive) : new StoredFile(this.#drive, new Uint8Array());
    folder.contents.set(last, entry);
    return { ret: wasi.ERRNO_SUCCESS, entry };
  }
}

function namesIn(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names;
}

/** A file that doubles its room when it is full: the library copies all of it for each piece that is written. */
class StoredFile extends File {
  readonly #drive: Drive;
  #room: Uint8Array;

  constructor(drive: Drive, bytes: Uint8Array) {
    super(bytes);
    this.#drive = drive;
    this.#room = this.data;
    this.ino = drive.number();
  }

  override path_open(oflags: number, _rights: bigint, flags: number): { ret: number; fd_obj: OpenFile } {
    if ((oflags & wasi.OFLAGS_TRUNC) !== 0) this.resize(0);
    return { ret: wasi.ERRNO_SUCCESS, fd_obj: new OpenStoredFile(this, (flags & wasi.FDFLAGS_APPEND) !== 0) };
  }

  /** False: there is no room for it. New bytes are zero. */
  resize(size: number): boolean {
    const before = this.data.length;
    if (!this.#drive.take(size - before)) return false;
    if (size > this.#room.length) {
      const room = new Uint8Array(Math.max(size, Math.min(2 * before, WASI_FILES_BYTES)));
      room.set(this.data);
      this.#room = room;
    } else if (size < before) this.#room.fill(0, size, before);
    this.data = this.#room.subarray(0, size);
    return true;
  }
}

class OpenStoredFile extends OpenFile {
  readonly #stored: StoredFile;
  readonly #appends: boolean;

  constructor(file: StoredFile, appends: boolean) {
    super(file);
    this.#stored = file;
    this.#appends = appends;
  }

  override fd_write(data: Uint8Array): { ret: number; nwritten: number } {
    if (this.#appends) this.file_pos = this.#stored.size;
    const written = this.fd_pwrite(data, this.file_pos);
    this.file_pos += BigInt(written.nwritten);
    return written;
  }

  override fd_pwrite(data: Uint8Array, offset: bigint): { ret: number; nwritten: number } {
    const end = Number(offset) + data.length;
    if (end > this.#stored.data.length && !this.#stored.resize(end)) return { ret: wasi.ERRNO_NOSPC, nwritten: 0 };
    this.#stored.data.set(data, Number(offset));
    return { ret: wasi.ERRNO_SUCCESS, nwritten: data.length };
  }

  override fd_allocate(offset: bigint, length: bigint): number {
    const end = Number(offset + length);
    return end <= this.#stored.data.length ? wasi.ERRNO_SUCCESS : this.fd_filestat_set_size(BigInt(end));
  }

  override fd_filestat_set_size(size: bigint): number {
    return this.#stored.resize(Number(size)) ? wasi.ERRNO_SUCCESS : wasi.ERRNO_NOSPC;
  }
}

/** The input of a program. */
export function inputOf(bytes: Uint8Array): Fd {
  return new OpenFile(new File(bytes));
}
