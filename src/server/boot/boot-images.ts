import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BOOT_CONFIG_BYTES, BOOT_MANIFEST_BYTES } from '../../model/boot-limits.ts';

export const ARCHITECTURES = ['x64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

export const BOOT_FILES = ['vmlinuz', 'initrd', 'worker.iso'] as const;
export type BootFile = (typeof BOOT_FILES)[number];

/** What `os/` has built for one kind of processor, as its `image.json` tells. */
export interface BootImage {
  readonly architecture: Architecture;
  readonly version: string;
  /** Of the worker in it. */
  readonly protocol: number;
  /** Where in `worker.iso` its configuration stands. */
  readonly configOffset: number | undefined;
  /** Bytes of each file that there is. */
  readonly files: Readonly<Partial<Record<BootFile, number>>>;
}

/** The images that this server hands out, as they lie on its disk. */
export class BootImages {
  readonly directory: string;

  /** Absent: those that were built beside this program. */
  constructor(directory?: string) {
    this.directory = directory ?? path.resolve(fileURLToPath(import.meta.url), '../../../../os/out');
  }

  /** Looked at each time: one may have been built meanwhile. */
  async list(): Promise<BootImage[]> {
    const found = await Promise.all(ARCHITECTURES.map((architecture) => this.find(architecture)));
    return found.filter((image) => image !== undefined);
  }

  /** Undefined: there is none, or what is there is not whole. */
  async find(architecture: Architecture): Promise<BootImage | undefined> {
    try {
      const { version, protocol, configOffset } = await this.#manifest(architecture);
      const sizes = await Promise.all(BOOT_FILES.map((name) => this.#size(architecture, name)));
      const files = Object.fromEntries(
        BOOT_FILES.flatMap((name, i) => (sizes[i] === undefined ? [] : [[name, sizes[i]]])),
      ) as BootImage['files'];
      if (typeof version !== 'string' || typeof protocol !== 'number') return undefined;
      const isPlace = Number.isSafeInteger(configOffset) && (configOffset as number) >= 0;
      const isInside = (files['worker.iso'] ?? 0) >= (configOffset as number) + BOOT_CONFIG_BYTES;
      return {
        ...{ architecture, version, protocol, files },
        configOffset: isPlace && isInside ? (configOffset as number) : undefined,
      };
    } catch {
      return undefined;
    }
  }

  pathOf(architecture: Architecture, file: BootFile): string {
    return path.join(this.directory, architecture, file);
  }

  async #manifest(architecture: Architecture): Promise<Readonly<Record<string, unknown>>> {
    const handle = await open(path.join(this.directory, architecture, 'image.json'));
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(BOOT_MANIFEST_BYTES));
      return JSON.parse(buffer.toString('utf8', 0, bytesRead)) as Readonly<Record<string, unknown>>;
    } finally {
      await handle.close();
    }
  }

  #size(architecture: Architecture, file: BootFile): Promise<number | undefined> {
    return stat(this.pathOf(architecture, file)).then(
      ({ size }) => size,
      () => undefined,
    );
  }
}
