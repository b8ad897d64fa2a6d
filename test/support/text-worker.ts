import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';

/**
 * A worker in the text subprotocol, as short as PROTOCOL.md promises one to be in any language: no codec, no library of
 * ours. It runs every task with the function it is given, which stands for whatever the language can run.
 */
export function textWorker(url: string, token: string, run: (input: unknown) => unknown): WebSocket {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/worker`, 'manyhands.v1.json', {
    headers: { authorization: `Bearer ${token}` },
  });
  const say = (message: object) => socket.send(JSON.stringify(message));
  const ranges = new Map<number, { start: number; step: number }>();
  const kept = new Map<string, object>();

  const inputOf = (job: number, index: number, item?: { value?: unknown; base64?: string }) => {
    const range = ranges.get(job);
    if (range !== undefined) return range.start + index * range.step;
    return item?.base64 === undefined ? item?.value : Buffer.from(item.base64, 'base64');
  };
  const outcome = (input: unknown) => {
    try {
      const value = run(input);
      if (value === undefined) return { undefined: true };
      return value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : { value };
    } catch (error) {
      const { name, message } = error as Error;
      return { failed: { kind: 'error', name, message } };
    }
  };

  socket.on('open', () => {
    const key = randomBytes(16).toString('hex');
    const facts = { name: 'text', device: 'other', slots: 1, runners: ['js'], labels: {}, resources: {}, held: [] };
    say({ kind: 'hello', protocol: 1, key, ...facts });
  });
  socket.on('message', (data) => {
    const message = JSON.parse(data.toString());
    if (message.kind === 'job' && message.range) ranges.set(message.job, message.range);
    if (message.kind === 'ack') for (const [start] of message.runs) kept.delete(`${message.lease} ${start}`);
    if (message.kind !== 'tasks') return;
    let position = 0;
    for (const [start, count] of message.runs) {
      for (let index = start; index < start + count; index++) {
        const began = performance.now();
        const values = [outcome(inputOf(message.job, index, message.values?.[position++]))];
        const micros = Math.round((performance.now() - began) * 1000);
        const { lease, job } = message;
        const report = { kind: 'outcomes', lease, job, runs: [[index, 1]], micros, values };
        kept.set(`${lease} ${index}`, report);
        say(report);
      }
    }
  });
  return socket;
}
