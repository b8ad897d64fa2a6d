import { MeasuredFarm } from '../harness/farm.ts';
import type { Question, Sample } from '../harness/figures.ts';
import { childrenOf, cpuOfThreads } from '../harness/processes.ts';

const TASKS = 4_000_000;

/** Where the time of a task that does nothing goes: CPU of each process and of the threads that count, for W1's work. */
export const ledger: Question = {
  id: 'ledger',
  asks: `microseconds of CPU a task in each stage, over ${TASKS.toLocaleString('en')} tasks i → i·i from an array`,
  async measure(): Promise<Sample[]> {
    await using farm = await MeasuredFarm.start(2);
    const square = (i: number): number => i * i;
    const inputs = Array.from({ length: TASKS }, (_, i) => i);
    await (await farm.client.map(square, inputs.slice(0, 200_000))).values();
    const [worker] = farm.workers;
    const slots = childrenOf(worker?.pid as number);
    const stages = {
      'client: encode, send, receive, decode': [process.pid],
      server: [farm.server.pid],
      'worker: wire and hand-over': [worker?.pid as number],
      'task processes: decode, run, encode': slots,
    };
    const before = Object.values(stages).map((pids) => pids.map(cpuOfThreads));
    const began = performance.now();
    await (await farm.client.map(square, inputs)).values();
    const seconds = (performance.now() - began) / 1_000;
    const samples: Sample[] = [];
    Object.entries(stages).forEach(([stage, pids], i) => {
      const used = new Map<string, number>();
      pids.forEach((pid, j) => {
        const earlier = new Map((before[i]?.[j] ?? []).map((thread) => [thread.id, thread.seconds]));
        for (const { id, name, seconds: now } of cpuOfThreads(pid)) {
          const place = stage === 'server' ? partOf(name) : '';
          used.set(place, (used.get(place) ?? 0) + now - (earlier.get(id) ?? 0));
        }
      });
      for (const [place, spent] of used) {
        samples.push({ name: `${stage}${place}`, value: (spent * 1e6) / TASKS, unit: 'µs/task' });
      }
    });
    samples.push({ name: 'wall', value: (seconds * 1e6) / TASKS, unit: 'µs/task' });
    return samples;
  },
};

/** The threads of Node that do something here. */
function partOf(thread: string): string {
  if (thread === 'store') return ': store';
  return /^(node|MainThread|node-MainThread)$/.test(thread)
    ? ': wire, scheduler, streams'
    : ': garbage and I/O threads';
}
