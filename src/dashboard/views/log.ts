import { h, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import { PAGE_LOG_LINES } from '../../model/page-limits.ts';
import type { LogRecord } from '../../model/records.ts';
import type { Api } from '../page/api.ts';
import { useLoaded } from '../page/loading.ts';
import { taskPath } from '../places.ts';

interface LogPage {
  readonly logs: readonly (Pick<LogRecord, 'index' | 'stream' | 'at' | 'text'> & { cursor: number })[];
  readonly next?: number;
}

/** What tasks printed, oldest first. */
export function Log(props: {
  path: string;
  api: Api;
  version: string | number;
  showsTask: boolean;
}): JSX.Element | null {
  const { path, api, version, showsTask } = props;
  const [limit, setLimit] = useState(PAGE_LOG_LINES);
  const { value, error } = useLoaded(path, `${version}/${limit}`, (signal) =>
    api.json<LogPage>(`${path}?limit=${limit}`, signal),
  );
  if (error !== undefined) return h('p', { class: 'fault' }, `The log cannot be read: ${error}.`);
  if (value === undefined || value.logs.length === 0) return null;
  const job = /\/jobs\/(\d+)/.exec(path)?.[1];
  return h(
    'section',
    { 'aria-labelledby': 'log' },
    h('h2', { id: 'log' }, 'Log'),
    h(
      'ol',
      { class: 'log', tabIndex: 0 },
      value.logs.map(({ cursor, index, stream, at, text }) =>
        h(
          'li',
          { key: cursor, class: stream },
          h('time', { dateTime: new Date(at).toISOString() }, new Date(at).toLocaleTimeString()),
          showsTask && h('a', { href: taskPath(Number(job), index), 'aria-label': `Task ${index}` }, `${index}`),
          h('span', null, text.replace(/\n$/, '')),
        ),
      ),
    ),
    value.next !== undefined &&
      h(
        'button',
        { type: 'button', class: 'quiet', onClick: () => setLimit(Math.min(limit * 5, MOST)), disabled: limit >= MOST },
        limit >= MOST ? `Only the first ${MOST} are shown here` : 'Show more',
      ),
  );
}

/** What the server gives at once. */
const MOST = 1_000;
