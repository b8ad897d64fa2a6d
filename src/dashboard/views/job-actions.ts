import { h, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { JobView } from '../../model/feed.ts';
import { hasEnded } from '../../model/job.ts';
import { count, plural } from '../figures.ts';
import type { Api } from '../page/api.ts';
import { saying } from '../page/loading.ts';

type Action = 'pause' | 'resume' | 'cancel' | 'retry';

/** What can be done with a job now, by whoever looks at it. What is done shows in the feed, not here. */
export function JobActions({ job, api, canAct }: { job: JobView; api: Api; canAct: boolean }): JSX.Element {
  const [said, setSaid] = useState('');
  const [isSure, setSure] = useState(false);
  const { id, progress } = job;
  const { state, failed, total, done, cancelled } = progress;
  const ended = hasEnded(state);
  const attempt = async (what: () => Promise<unknown>, fault: string) => {
    setSaid('');
    setSure(false);
    try {
      await what();
    } catch (error) {
      setSaid(`${fault}: ${saying(error)}.`);
    }
  };
  const act = (action: Action) => void attempt(() => api.post(`/v1/jobs/${id}/${action}`), `Could not ${action}`);
  const save = () => void attempt(() => api.download(`/v1/jobs/${id}/results`), 'Could not download');
  const button = (label: string, run: () => void, kind = '') =>
    h('button', { key: label, type: 'button', class: kind, onClick: run }, label);
  const left = total - done - failed - cancelled;
  return h(
    'div',
    { class: 'actions', role: 'group', 'aria-label': 'Actions' },
    done + failed > 0 && button('Download results', save),
    canAct && state === 'active' && button('Pause', () => act('pause')),
    canAct && state === 'paused' && button('Resume', () => act('resume'), 'main'),
    canAct && !ended && !isSure && button('Cancel', () => setSure(true)),
    canAct &&
      !ended &&
      isSure && [
        button(`Cancel ${plural(left, 'task')} for good`, () => act('cancel'), 'danger'),
        button('No, go on', () => setSure(false)),
      ],
    canAct && ended && failed > 0 && button(`Retry ${count(failed)} failed`, () => act('retry'), 'main'),
    h('p', { class: 'fault', role: 'alert' }, said),
  );
}
