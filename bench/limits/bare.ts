import { type Measured, script } from '../harness/processes.ts';

/** Seconds that two processes take for `tasks` waits of `millis` between them, with nobody who hands them out. */
export async function bareSeconds(tasks: number, millis: number): Promise<number> {
  const entry = new URL('./entry/bare.ts', import.meta.url);
  const processes: Measured[] = [1, 2].map(() => script(entry, String(tasks / 2), String(millis)));
  for (const each of processes) await each.line();
  for (const each of processes) each.child.kill('SIGUSR2');
  const times = await Promise.all(processes.map((each) => each.line<{ millis: number }>()));
  await Promise.all(processes.map((each) => each.ended));
  return Math.max(...times.map(({ millis: taken }) => taken)) / 1_000;
}
