import { h, type JSX } from 'preact';
import { count, percent } from '../figures.ts';
import type { JobRow } from '../fold.ts';

const WIDTH = 1_000;

/** How far a job is, in one line of colour: done, failed, running, and what is left. */
export function Bar({ job }: { job: Pick<JobRow, 'progress' | 'running'> }): JSX.Element {
  const { total, done, failed, cancelled } = job.progress;
  const parts: [name: string, tasks: number][] = [
    ['done', done],
    ['failed', failed],
    ['cancelled', cancelled],
    ['running', Math.min(job.running, Math.max(0, total - done - failed - cancelled))],
  ];
  const words = parts.filter(([, tasks]) => tasks > 0).map(([name, tasks]) => `${count(tasks)} ${name}`);
  let x = 0;
  const pieces = parts.map(([name, tasks]) => {
    const width = total === 0 ? 0 : (tasks / total) * WIDTH;
    const piece = h('rect', { key: name, class: name, x, y: 0, width: seen(width), height: 10 });
    x += width;
    return piece;
  });
  const label = `${percent(done + failed + cancelled, total)} of ${count(total)}: ${words.join(', ') || 'nothing yet'}`;
  return h(
    'svg',
    { class: 'bar', role: 'img', 'aria-label': label, viewBox: `0 0 ${WIDTH} 10`, preserveAspectRatio: 'none' },
    pieces,
  );
}

/** One failure among a million is still a failure: it gets a line that can be seen. */
function seen(width: number): number {
  return width === 0 ? 0 : Math.max(width, 3);
}
