// Joins a farm with many workers of one slot each: node many-workers.ts JOIN-LINK COUNT. Ends when it is killed.
import { startWorker } from '../../../src/worker/node/join.ts';

const [, , url = '', count = '1'] = process.argv;
process.setMaxListeners(Number(count) + 10);
const workers = Array.from({ length: Number(count) }, (_, at) => startWorker({ url, slots: 1, name: `worker ${at}` }));
for (const worker of workers) {
  if (!(await worker.joined)) throw new Error(`a worker could not join: ${(await worker.ended).reason}`);
}
process.stdout.write('all have joined\n');
