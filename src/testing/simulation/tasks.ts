import { createHash } from 'node:crypto';
import type { TaskCode } from '../../client/task-code.ts';
import { ValueStatus } from '../../model/envelope.ts';
import type { JobPlan } from './plan.ts';
import { hashed } from './random.ts';

export type Behaviour = 'works' | 'throws' | 'throwsFirst' | 'crashes' | 'hangs' | 'poison';

/** Times that a task of the kind `throwsFirst` throws before it works. */
export const THROWS_FIRST = 2;

/** A job's name says which of the plan's it is; its own number is given by the store. */
export const jobName = (number: number): string => `job ${number}`;
export const numberOf = (name: string): number => Number(name.slice(4));

/** What tasks of a plan's jobs do: a function of job and index alone, so that every attempt does the same. */
export function behaviourOf(plan: JobPlan, number: number, index: number): Behaviour {
  if (plan.poison.includes(index)) return 'poison';
  const { throws, throwsFirst, crashes, hangs } = plan.trouble;
  if (throws + throwsFirst + crashes + hangs === 0) return 'works';
  const drawn = hashed(number, index, 1);
  if (drawn < throws) return 'throws';
  if (drawn < throws + throwsFirst) return 'throwsFirst';
  if (drawn < throws + throwsFirst + crashes) return 'crashes';
  return drawn < throws + throwsFirst + crashes + hangs ? 'hangs' : 'works';
}

/** Milliseconds on a worker of usual speed. */
export function costOf(plan: JobPlan, number: number, index: number): number {
  const [low, high] = plan.cost;
  return low === high ? low : low * (high / low) ** hashed(number, index, 2);
}

export function prints(plan: JobPlan, number: number, index: number): boolean {
  return plan.prints > 0 && hashed(number, index, 3) < plan.prints;
}

/** The input of a task, whichever way it travels. */
export function inputOf(number: number, index: number): number {
  return firstInput(number) + INPUT_STEP * index;
}

export const INPUT_STEP = 3;
export const firstInput = (number: number): number => 1_000_000 * (number + 1);

/** The task function. Undefined costs no bytes, so some tasks return it. */
function computed(input: number): number | undefined {
  return input % 11 === 0 ? undefined : Math.imul(input + 1, 0x9e3779b1) >>> 0;
}

/** The value that a program gets. */
export function valueFor(plan: JobPlan, number: number, index: number): number | undefined {
  const value = computed(inputOf(number, index));
  return goesByBlob(plan, number, index) ? (value ?? 0) : value;
}

function goesByBlob(plan: JobPlan, number: number, index: number): boolean {
  return plan.blobs > 0 && hashed(number, index, 4) < plan.blobs;
}

/** What a task that works returns, as the wire has it. */
export interface Result {
  readonly status: ValueStatus;
  readonly text: string;
  /** Its bytes, where it travels by name only. */
  readonly blob?: { readonly sha256: string; readonly bytes: Uint8Array };
}

export function resultFor(plan: JobPlan, number: number, index: number): Result {
  const value = valueFor(plan, number, index);
  if (!goesByBlob(plan, number, index)) {
    return { status: ValueStatus.json, text: value === undefined ? '' : `${value},` };
  }
  const bytes = new TextEncoder().encode(String(value));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const text = `${JSON.stringify({ sha256, size: bytes.length })},`;
  return { status: ValueStatus.jsonBlob, text, blob: { sha256, bytes } };
}

export function failureText(message: string): string {
  return `${JSON.stringify({ kind: 'error', name: 'Error', message })},`;
}

/** Every third job has another code for its tasks, which takes longer; how much longer is told by its name. */
export function variantsOf(plan: JobPlan, number: number): TaskCode[] {
  if (number % 3 !== 1) return [];
  return [{ code: `${codeOf(plan, number)} // slower`, sourceName: `slower ${SLOWER}` }];
}

export function slownessOf({ sourceName }: { readonly sourceName: string }): number {
  return sourceName === `slower ${SLOWER}` ? SLOWER : 1;
}

const SLOWER = 3;

/** The code of a job is told by its text; that of a big one only claims to be big. */
export function codeOf(plan: JobPlan, number: number): string {
  return plan.bigCode ? `export default (input) => input + ${number}; // big` : 'export default (input) => input + 1;';
}
