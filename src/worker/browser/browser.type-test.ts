// Only compiled: what a page of anybody's writes.
import { type BrowserWorker, join, type Lending, type WorkerEnd } from './index.ts';

export async function joining(): Promise<WorkerEnd> {
  const worker: BrowserWorker = join('https://farm.example/join#mh_token', { slots: 2, pauseWhen: { hidden: true } });
  join(new URL('https://farm.example'), { token: 'mh_token', name: 'kiosk', labels: { room: '12' } });
  // @ts-expect-error: no link
  join();
  // @ts-expect-error: no such option
  join('https://farm.example', { cores: 2 });
  worker.addEventListener('change', () => {
    const { state, done }: Lending = worker.lending;
    // @ts-expect-error: no such state
    if (state === 'sleeping') console.log(done);
  });
  worker.resize(3);
  worker.pauseWhen = { lowBattery: true };
  // @ts-expect-error: only to be read
  worker.lending = { state: 'ended' };
  await worker.drain();
  return await worker.stop();
}
