import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { EXPIRY_INTERVAL, TOKENS } from '../../model/limits.ts';
import type { Role, TokenRecord } from '../../model/records.ts';
import type { Clock } from '../clock.ts';

/** Where tokens are kept; a write is on disk when it resolves. */
export interface TokenRows {
  list(): Promise<TokenRecord[]>;
  write(record: TokenRecord): Promise<void>;
}

export interface NewToken {
  readonly role: Role;
  readonly name: string;
  /** Wall clock. */
  readonly expiresAt?: number;
}

/** A machine that wants a token of its own. */
export interface Enrolling {
  /** The same at each of its starts. */
  readonly machine: string;
  readonly name: string;
  readonly cards?: readonly string[];
}

export class TokenError extends Error {
  readonly code: 'unknown' | 'full' | 'invalid' | 'barred';

  constructor(code: TokenError['code'], message: string) {
    super(message);
    this.name = 'TokenError';
    this.code = code;
  }
}

/** How a token came to its end, as the second half of a sentence. */
export type TokenEnd = 'was revoked' | 'has expired';

const PREFIX = 'mh_';
const TOKEN = /^mh_[A-Za-z0-9_-]{43}$/;
const ID_LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789';

/** All tokens of the farm, found by the hash of what was presented. Only hashes are kept. (T-26) */
export class Tokens {
  readonly #rows: TokenRows;
  readonly #clock: Clock;
  /** By the first half of the hash, so that the whole of it is compared in constant time. */
  readonly #byHash = new Map<string, TokenRecord>();
  readonly #byId = new Map<string, TokenRecord>();
  readonly #listeners = new Set<(id: string, why: TokenEnd) => void>();
  /** Tokens whose end has been told. */
  readonly #ended = new Set<string>();
  #cancelWatch: (() => void) | undefined;

  constructor(rows: TokenRows, clock: Clock) {
    this.#rows = rows;
    this.#clock = clock;
  }

  async open(): Promise<void> {
    for (const record of await this.#rows.list()) this.#keep(record);
    for (const record of this.#byId.values()) if (!this.isLive(record)) this.#ended.add(record.id);
    this.#watch();
  }

  /** Another server of the farm wrote some. */
  async reload(): Promise<void> {
    for (const record of await this.#rows.list()) {
      const known = this.#byId.get(record.id);
      if (known !== undefined && known.hash !== record.hash) this.#byHash.delete(halfOf(known.hash));
      this.#keep(record);
      if (record.revokedAt !== undefined && known?.revokedAt === undefined) this.#end(record.id, 'was revoked');
    }
  }

  /** The database may have lost tokens that were good, or that they were revoked: what was known here is written again. */
  async restore(known: readonly TokenRecord[]): Promise<void> {
    const stored = new Map((await this.#rows.list()).map((record) => [record.id, record]));
    for (const record of known) {
      const found = stored.get(record.id);
      const isLost = found === undefined || (record.revokedAt !== undefined && found.revokedAt === undefined);
      if (isLost) await this.#rows.write(record);
    }
    await this.reload();
  }

  close(): void {
    this.#cancelWatch?.();
  }

  /** The token's record, if the text is a token that is neither revoked nor expired. */
  find(text: string): TokenRecord | undefined {
    if (!TOKEN.test(text)) return undefined;
    const hash = hashOf(text);
    const record = this.#byHash.get(halfOf(hash));
    if (record === undefined) return undefined;
    if (!timingSafeEqual(Buffer.from(record.hash, 'hex'), Buffer.from(hash, 'hex'))) return undefined;
    return this.isLive(record) ? record : undefined;
  }

  byId(id: string): TokenRecord | undefined {
    return this.#byId.get(id);
  }

  isLive(record: TokenRecord): boolean {
    if (record.revokedAt !== undefined) return false;
    return record.expiresAt === undefined || record.expiresAt > this.#clock.wall();
  }

  /** Oldest first. */
  list(): TokenRecord[] {
    return [...this.#byId.values()].sort((a, b) => a.createdAt - b.createdAt);
  }

  /** The text is told here and never again. */
  async create(asked: NewToken): Promise<{ text: string; record: TokenRecord }> {
    if (asked.expiresAt !== undefined && asked.expiresAt <= this.#clock.wall()) {
      throw new TokenError('invalid', 'the token would have expired already');
    }
    return this.#add(asked);
  }

  async #add(asked: Omit<TokenRecord, 'id' | 'hash' | 'createdAt'>): Promise<{ text: string; record: TokenRecord }> {
    if (this.#byId.size >= TOKENS) {
      throw new TokenError('full', `this farm has ${TOKENS} tokens already, which is the most it keeps`);
    }
    const text = newText();
    const record = { ...asked, id: this.#newId(), hash: hashOf(text), createdAt: this.#clock.wall() };
    await this.#rows.write(record);
    this.#keep(record);
    return { text, record };
  }

  /**
   * A machine that was booted with the token `by` gets one of its own. When it comes again it is the same token with another
   * text; a machine whose own token was revoked stays out as long as it comes with the same one.
   */
  async enrol(
    by: TokenRecord,
    { machine, name, cards = [] }: Enrolling,
  ): Promise<{ text: string; record: TokenRecord }> {
    const known = this.list().find((each) => each.enrolledBy === by.id && each.machine === machine);
    if (known?.revokedAt !== undefined) {
      throw new TokenError(
        'barred',
        `this machine is shut out: its token ${known.id} was revoked, and it may come in again with an image that is made anew`,
      );
    }
    if (known === undefined) return this.#add({ role: 'work', name, enrolledBy: by.id, machine, cards });
    const text = newText();
    const record = { ...known, name, cards, hash: hashOf(text) };
    await this.#rows.write(record);
    this.#byHash.delete(halfOf(known.hash));
    this.#keep(record);
    return { text, record };
  }

  /** Once it resolves the token is dead on disk, and everything that it opened has been told to close. */
  async revoke(id: string): Promise<TokenRecord> {
    const record = this.#byId.get(id);
    if (record === undefined) throw new TokenError('unknown', `there is no token ${id}`);
    // Whoever came by it goes with it: it may be in other hands.
    for (const each of this.list()) if (each.enrolledBy === id && this.isLive(each)) await this.revoke(each.id);
    if (record.revokedAt !== undefined) return record;
    const revoked = { ...record, revokedAt: this.#clock.wall() };
    await this.#rows.write(revoked);
    this.#keep(revoked);
    this.#end(id, 'was revoked');
    return revoked;
  }

  /** Hears the id of each token that was revoked or has expired, and which of the two it was. */
  onRevoked(listener: (id: string, why: TokenEnd) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #keep(record: TokenRecord): void {
    this.#byId.set(record.id, record);
    this.#byHash.set(halfOf(record.hash), record);
  }

  #end(id: string, why: TokenEnd): void {
    if (this.#ended.has(id)) return;
    this.#ended.add(id);
    for (const listener of [...this.#listeners]) listener(id, why);
  }

  #watch(): void {
    this.#cancelWatch = this.#clock.alarm(EXPIRY_INTERVAL, () => {
      for (const record of this.#byId.values()) {
        if (record.expiresAt !== undefined && !this.isLive(record)) this.#end(record.id, 'has expired');
      }
      this.#watch();
    });
  }

  #newId(): string {
    for (;;) {
      let id = '';
      for (const byte of randomBytes(8)) id += ID_LETTERS[byte & 31];
      if (!this.#byId.has(id)) return id;
    }
  }
}

function newText(): string {
  return PREFIX + randomBytes(32).toString('base64url');
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function halfOf(hash: string): string {
  return hash.slice(0, 32);
}
