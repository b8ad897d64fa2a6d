// Joins a farm with many workers of one slot each: node many-workers.ts JOIN-LINK COUNT. Ends when it is killed.
import { startWorker } from '../../../src/worker/node/join.ts';

const [, , url = '', count = '1'] = process.argv;
const workers = Array.from({ length: Number(count) }, (_, at) => startWorker({ url, slots: 1, name: `worker ${at}` }));
await Promise.all(workers.map((worker) => worker.joined));
process.stdout.write('all have joined\n');
