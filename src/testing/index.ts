/** For programs that test against the farm's contracts. */

export { type BlobHome, blobContract } from './blob-contract.ts';
export { drawPlan } from './simulation/draw-plan.ts';
export type { Plan } from './simulation/plan.ts';
export { simulate, type Verdict } from './simulation/simulate.ts';
export * from './store-contract.ts';
