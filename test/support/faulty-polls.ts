import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import type { Say } from './faulty-worker.ts';

/** What a worker that polls does wrong. */
export interface PollFault {
  /** It takes what it has posted for arrived, whether there was an answer or not. */
  readonly countsUnanswered?: boolean;
  /** It takes the half of a line for a line that it has. */
  readonly countsHalves?: boolean;
}

interface Mind {
  hello(): object;
  hear(text: string, say: Say): Promise<void>;
  readonly stop: AbortSignal;
  isLeaving(): boolean;
}

/** Polls until it is stopped or has left; a session that is over is followed by another. */
export async function pollSession(link: URL, fault: PollFault, { hello, hear, stop, isLeaving }: Mind): Promise<void> {
  while (!stop.aborted) {
    const session = randomBytes(16).toString('hex');
    let [sent, seen] = [0, 0];
    let out = [JSON.stringify(hello())];
    const say: Say = (message) => void out.push(JSON.stringify(message));
    for (;;) {
      const posted = out.length;
      const path = `/v1/worker/polls/${session}?sent=${sent}&seen=${seen}`;
      const { status, text, isWhole } = await post(link, path, out, stop);
      if (status === 404 || status === 409 || stop.aborted) break;
      if (isWhole || fault.countsUnanswered) {
        sent += posted;
        out = out.slice(posted);
      }
      if (isLeaving() && isWhole) return;
      const lines = text.split('\n');
      const half = lines.pop();
      seen += lines.length + (fault.countsHalves && half !== '' ? 1 : 0);
      for (const line of lines) await hear(line, say);
    }
  }
}

interface Posted {
  readonly status: number | undefined;
  readonly text: string;
  readonly isWhole: boolean;
}

/** However it ends; what came until then counts. */
function post(link: URL, path: string, lines: readonly string[], signal: AbortSignal): Promise<Posted> {
  const headers = { authorization: `Bearer ${link.hash.slice(1)}`, 'content-type': 'application/x-ndjson' };
  return new Promise((resolve) => {
    const asked = request(new URL(path, link), { method: 'POST', headers, agent: false, signal }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => (text += part));
      answer.on('error', () => {});
      answer.on('close', () =>
        resolve({
          status: answer.statusCode,
          text: answer.statusCode === 200 ? text : '',
          isWhole: answer.complete && answer.statusCode === 200,
        }),
      );
    });
    asked.on('error', () => resolve({ status: undefined, text: '', isWhole: false }));
    asked.end(lines.map((line) => `${line}\n`).join(''));
  });
}
