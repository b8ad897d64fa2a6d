import { ValueStatus } from '../../model/envelope.ts';
import type { JobPlan } from './plan.ts';
import { hashed } from './random.ts';

export type Behaviour = 'works' | 'throws' | 'throwsFirst' | 'crashes' | 'hangs' | 'poison';

/** Times that a task of the kind `throwsFirst` throws before it works. */
export const THROWS_FIRST = 2;

/** What tasks of a plan's jobs do: a function of job and index alone, so that every attempt does the same. */
export function behaviourOf(plan: JobPlan, job: number, index: number): Behaviour {
  if (plan.poison.includes(index)) return 'poison';
  const { throws, throwsFirst, crashes, hangs } = plan.trouble;
  if (throws + throwsFirst + crashes + hangs === 0) return 'works';
  const drawn = hashed(job, index, 1);
  if (drawn < throws) return 'throws';
  if (drawn < throws + throwsFirst) return 'throwsFirst';
  if (drawn < throws + throwsFirst + crashes) return 'crashes';
  return drawn < throws + throwsFirst + crashes + hangs ? 'hangs' : 'works';
}

/** Milliseconds on a worker of usual speed. */
export function costOf(plan: JobPlan, job: number, index: number): number {
  const [low, high] = plan.cost;
  return low * (high / low) ** hashed(job, index, 2);
}

/** The input of a task, whichever way it travels. */
export function inputOf(job: number, index: number): number {
  return 1000 * job + 3 * index;
}

/** The task function. Undefined costs no bytes, so some tasks return it. */
export function resultOf(input: number): number | undefined {
  return input % 11 === 0 ? undefined : Math.imul(input + 1, 0x9e3779b1) >>> 0;
}

/** As the wire has it. */
export function resultText(input: number): string {
  const value = resultOf(input);
  return value === undefined ? '' : `${value},`;
}

export function failureText(kind: 'error' | 'crash', message: string): string {
  return `${JSON.stringify({ kind, name: kind === 'error' ? 'Error' : 'CrashError', message })},`;
}

export const STATUS = { works: ValueStatus.json, throws: ValueStatus.failed } as const;
