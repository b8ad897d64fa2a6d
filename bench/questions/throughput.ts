import { MeasuredFarm } from '../harness/farm.ts';
import type { Question, Sample } from '../harness/figures.ts';

const TASKS = 1_000_000;
const OBJECTS = 300_000;

/** W1: tasks that do nothing, so that what is measured is the farm. Every value is compared. */
export const squares: Question = {
  id: 'W1',
  asks: `${TASKS.toLocaleString('en')} tasks i → i·i from an array: submit all, all results back in the client`,
  async measure(): Promise<Sample[]> {
    await using farm = await MeasuredFarm.start(2);
    await warmUp(farm);
    const inputs = Array.from({ length: TASKS }, (_, i) => i);
    const began = performance.now();
    const job = await farm.client.map((i: number) => i * i, inputs);
    const values = await job.values();
    const seconds = (performance.now() - began) / 1_000;
    const wrong = values.findIndex((value, i) => value !== i * i);
    if (wrong !== -1 || values.length !== TASKS) throw new Error(`W1: task ${wrong} gave ${values[wrong]}`);
    return [{ name: 'W1 no-op tasks', value: TASKS / seconds, unit: 'tasks/s', target: { atLeast: 400_000 } }];
  },
};

interface Thing {
  readonly id: number;
  readonly text: string;
}

/** W1b: the same with 100 random bytes in an object, in and out. */
export const objects: Question = {
  id: 'W1b',
  asks: `${OBJECTS.toLocaleString('en')} objects of 100 random bytes in and out, every value compared`,
  async measure(): Promise<Sample[]> {
    await using farm = await MeasuredFarm.start(2);
    await warmUp(farm);
    const inputs = Array.from({ length: OBJECTS }, (_, id): Thing => ({ id, text: randomText(100) }));
    const began = performance.now();
    const job = await farm.client.map((thing: Thing) => thing, inputs);
    const values = await job.values();
    const seconds = (performance.now() - began) / 1_000;
    const wrong = inputs.findIndex(({ id, text }, i) => values[i]?.id !== id || values[i]?.text !== text);
    if (wrong !== -1) throw new Error(`W1b: task ${wrong} gave ${JSON.stringify(values[wrong])}`);
    return [
      { name: 'W1b objects of 100 bytes', value: OBJECTS / seconds, unit: 'tasks/s', target: { atLeast: 150_000 } },
    ];
  },
};

/** Compilers and batch sizes settle in the first job; users have that once a day. */
async function warmUp(farm: MeasuredFarm): Promise<void> {
  const job = await farm.client.map(
    (i: number) => i + 1,
    Array.from({ length: 100_000 }, (_, i) => i),
  );
  await job.values();
}

function randomText(length: number): string {
  let text = '';
  while (text.length < length) text += Math.random().toString(36).slice(2);
  return text.slice(0, length);
}
