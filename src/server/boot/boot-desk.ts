import { randomBytes } from 'node:crypto';
import { BlockList, isIPv6 } from 'node:net';
import { BOOT_DOWNLOAD_TIME, BOOT_DOWNLOADS, BOOT_TOKEN_TIME } from '../../model/boot-limits.ts';
import type { Millis } from '../../model/ids.ts';
import type { TokenRecord } from '../../model/records.ts';
import type { Tokens } from '../auth/tokens.ts';
import type { Clock } from '../clock.ts';
import { type BootAllowed, type BootConfig, formatBootConfig } from './boot-config.ts';
import type { BootImages } from './boot-images.ts';
import { writeConfigArchive } from './config-archive.ts';

/** A machine that has a token of its own, whether it is here now or not. */
export interface Machine {
  /** The id of its token. */
  readonly token: string;
  readonly name: string;
  readonly cards: readonly string[];
  readonly isShutOut: boolean;
}

/** An image made for somebody: those of `os/`, with this farm's address and a token laid over. */
export interface Download {
  readonly id: string;
  readonly token: TokenRecord;
  /** Wall clock. */
  readonly until: number;
  readonly config: Uint8Array;
}

/** Where images are handed out: to whoever an admin makes one for, and, if its owner wants that, to whoever asks from this network. */
export class BootDesk {
  readonly images: BootImages;
  /** Machines of this network are given what they need to boot, without being asked who they are. */
  readonly netboot: boolean;
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  /** Oldest first. They are known to this process alone: an image that was fetched needs no server to know it. */
  readonly #downloads = new Map<string, Download>();
  /** Where machines shall look for this server; known once it listens. */
  origin = '';
  /** The token of those that boot from the network. */
  readonly #netbootToken: (() => Promise<string>) | undefined;

  constructor(parts: { images: BootImages; tokens: Tokens; clock: Clock; netbootToken?: () => Promise<string> }) {
    this.images = parts.images;
    this.netboot = parts.netbootToken !== undefined;
    this.#tokens = parts.tokens;
    this.#clock = parts.clock;
    this.#netbootToken = parts.netbootToken;
  }

  /** Machines join by it for `expiresIn`, and each gets a token of its own. */
  async make(allow: readonly BootAllowed[], expiresIn: Millis = BOOT_TOKEN_TIME): Promise<Download> {
    const now = this.#clock.wall();
    const name = `boot image of ${new Date(now).toISOString().slice(0, 10)}`;
    const expiresAt = Math.min(now + expiresIn, Number.MAX_SAFE_INTEGER);
    const { text, record } = await this.#tokens.create({ role: 'enrol', name, expiresAt });
    const download: Download = {
      id: randomBytes(16).toString('hex'),
      token: record,
      until: now + BOOT_DOWNLOAD_TIME,
      config: formatBootConfig(this.#configFor(this.origin, text, allow)),
    };
    this.#downloads.set(download.id, download);
    for (const [id] of this.#downloads) if (this.#downloads.size > BOOT_DOWNLOADS) this.#downloads.delete(id);
    return download;
  }

  /** Undefined: it was never made, is too old, or its token is no longer good. */
  find(id: string): Download | undefined {
    const download = this.#downloads.get(id);
    if (download === undefined) return undefined;
    const token = this.#tokens.byId(download.token.id);
    if (download.until > this.#clock.wall() && token !== undefined && this.#tokens.isLive(token)) return download;
    this.#downloads.delete(id);
    return undefined;
  }

  /** Machines that have been here, those that came first first. */
  machines(): Machine[] {
    return this.#tokens.list().flatMap((record) => {
      const { id, name, machine, cards = [] } = record;
      return machine === undefined ? [] : [{ token: id, name, cards, isShutOut: !this.#tokens.isLive(record) }];
    });
  }

  /** The configuration of a machine that boots from the network, where it found this server. */
  async archiveFor(origin: string): Promise<Uint8Array> {
    const token = await this.#netbootToken?.();
    if (token === undefined) throw new Error('nothing boots from the network here');
    return writeConfigArchive(this.#configFor(origin, token, []));
  }

  #configFor(origin: string, token: string, allow: readonly BootAllowed[]): BootConfig {
    return { server: [origin], token, ...(allow.length > 0 && { allow }) };
  }
}

const NEARBY = new BlockList();
NEARBY.addSubnet('127.0.0.0', 8);
NEARBY.addSubnet('10.0.0.0', 8);
NEARBY.addSubnet('172.16.0.0', 12);
NEARBY.addSubnet('192.168.0.0', 16);
NEARBY.addSubnet('169.254.0.0', 16);
NEARBY.addAddress('::1', 'ipv6');
NEARBY.addSubnet('fc00::', 7, 'ipv6');
NEARBY.addSubnet('fe80::', 10, 'ipv6');

/** Of a network that is not the internet. */
export function isNearby(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '').replace(/%.*/, '');
  return NEARBY.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
}
