import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { StoreHome } from '../../testing/store-contract.ts';
import { storeContract } from '../../testing/store-contract.ts';
import type { Store } from '../store.ts';
import { openSqliteStore } from './sqlite-store.ts';

/** What lies on the disk while the store is open is what its death would leave. */
class SqliteHome implements StoreHome {
  readonly #root = mkdtempSync(path.join(tmpdir(), 'manyhands-store-'));
  #lives = 0;

  open(): Promise<Store> {
    return openSqliteStore(this.#dir());
  }

  async crash(store: Store): Promise<void> {
    const before = this.#dir();
    this.#lives += 1;
    cpSync(before, this.#dir(), { recursive: true });
    await store.close();
  }

  async remove(): Promise<void> {
    rmSync(this.#root, { recursive: true });
  }

  #dir(): string {
    return path.join(this.#root, `life-${this.#lives}`);
  }
}

storeContract('SQLite', async () => new SqliteHome());
