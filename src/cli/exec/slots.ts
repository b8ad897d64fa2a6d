import type { WorkerView } from '../../model/feed.ts';
import { defaultSlots } from '../../worker/node/capacity.ts';
import type { Api } from '../api.ts';
import { UsageError } from '../errors.ts';

/** `4`, `50%` of the CPUs, or so many more (`+2`) or fewer (`-1`) than they are. */
export function parseSlots(text: string): number {
  const [, sign = '', digits, percent = ''] = /^([+-]?)(\d{1,6})(%?)$/.exec(text) ?? [];
  if (digits === undefined || (sign !== '' && percent !== '') || (digits === '0' && sign === ''))
    throw new UsageError(`-j takes a number such as 4, 50%, +2 or -1, not "${text}"`);
  const number = Number(digits);
  const cpus = defaultSlots();
  const slots =
    percent !== '' ? Math.round((cpus * number) / 100) : sign === '' ? number : cpus + Number(`${sign}${number}`);
  return Math.min(4_096, Math.max(1, slots));
}

/** Commands that a farm runs at once; where it does not say, those that this machine would. */
export async function slotsOf(api: Api): Promise<number> {
  try {
    const { workers } = await api.get<{ workers: WorkerView[] }>('v1/workers');
    const able = workers.filter(({ state, runners }) => state === 'ready' && runners.includes('exec'));
    return able.reduce((sum, { slots }) => sum + slots, 0) || defaultSlots();
  } catch {
    return defaultSlots();
  }
}
