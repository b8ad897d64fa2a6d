/** For programs that test against the farm's contracts. */
export * from './store-contract.ts';
