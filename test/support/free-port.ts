import { createServer } from 'node:net';

/**
 * Below all those that a system gives out by itself: who connects to a server that is dead would otherwise now and then
 * connect to itself, and hold its port; and what listens at any port could take it.
 */
const FIRST = 20_000;
const COUNT = 12_000;

/** A port that nobody listens at, for a process that shall have the same one again when it is started a second time. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer().once('error', () => resolve(false));
      probe.listen(port, host, () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
