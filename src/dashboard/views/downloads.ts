import { h, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Api } from '../page/api.ts';
import { saying } from '../page/loading.ts';

const FORMS = [
  ['NDJSON', 'results', 'a line of JSON for each task'],
  ['CSV', 'results.csv', 'a table for spreadsheets'],
  ['zip', 'results.zip', 'a file for each result that is bytes or text'],
] as const;

/** All results of a job, as files. The server writes them as the browser takes them. */
export function Downloads({ job, api }: { job: number; api: Api }): JSX.Element {
  const [fault, setFault] = useState('');
  const save = async (name: string) => {
    setFault('');
    try {
      await api.download(`/v1/jobs/${job}/${name}`);
    } catch (error) {
      setFault(`Could not download: ${saying(error)}.`);
    }
  };
  return h(
    'div',
    { class: 'downloads', role: 'group', 'aria-label': 'Download all results' },
    h('span', { 'aria-hidden': 'true' }, 'Download all as'),
    FORMS.map(([name, path, what]) =>
      h(
        'button',
        {
          key: name,
          type: 'button',
          class: 'quiet',
          title: what,
          'aria-label': `Download results as ${name}`,
          onClick: () => void save(path),
        },
        name,
      ),
    ),
    h('p', { class: 'fault', role: 'alert' }, fault),
  );
}
