import { describe } from 'node:test';
import { commitRules } from './store-contract/commits.ts';
import { forgetRules } from './store-contract/forget.ts';
import { handOverRules } from './store-contract/hand-overs.ts';
import type { StoreHome } from './store-contract/home.ts';
import { ownershipRules } from './store-contract/ownership.ts';
import { partRules } from './store-contract/parts.ts';
import { readRules } from './store-contract/reads.ts';
import { reopenRules } from './store-contract/reopen.ts';
import { sequenceRules } from './store-contract/sequences.ts';
import type { SharedHome } from './store-contract/servers.ts';
import { sharedRules } from './store-contract/shared.ts';

export type { StoreHome } from './store-contract/home.ts';
export type { SharedHome } from './store-contract/servers.ts';

/**
 * Holds an implementation of `Store` to the rules of STORE.md, with `node:test`. `makeHome` makes a place for fresh data,
 * which is removed after each test. Rules that need a broken disk or foreign data (D11, D16) are tested where the
 * implementation is.
 */
export function storeContract(name: string, makeHome: () => Promise<StoreHome>): void {
  describe(`store contract: ${name}`, () => {
    ownershipRules(makeHome);
    commitRules(makeHome);
    readRules(makeHome);
    reopenRules(makeHome);
    forgetRules(makeHome);
  });
}

/** The same for one that several servers share, and what they need of it beyond that. */
export function sharedStoreContract(name: string, makeHome: () => Promise<SharedHome>): void {
  storeContract(name, makeHome);
  describe(`contract of shared stores: ${name}`, () => {
    sharedRules(makeHome);
    partRules(makeHome);
    handOverRules(makeHome);
    sequenceRules(makeHome);
  });
}
