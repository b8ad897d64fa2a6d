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
  const act = async (action: Action) => {
    setSaid('');
    setSure(false);
    try {
      await api.post(`/v1/jobs/${id}/${action}`);
    } catch (error) {
      setSaid(`Could not ${action}: ${saying(error)}.`);
    }
  };
  const button = (label: string, run: () => void, kind = '') =>
    h('button', { key: label, type: 'button', class: kind, onClick: run }, label);
  const left = total - done - failed - cancelled;
  return h(
    'div',
    { class: 'actions', role: 'group', 'aria-label': 'Actions' },
    canAct && state === 'active' && button('Pause', () => void act('pause')),
    canAct && state === 'paused' && button('Resume', () => void act('resume'), 'main'),
    canAct && !ended && !isSure && button('Cancel', () => setSure(true)),
    canAct &&
      !ended &&
      isSure && [
        button(`Cancel ${plural(left, 'task')} for good`, () => void act('cancel'), 'danger'),
        button('No, go on', () => setSure(false)),
      ],
    canAct && ended && failed > 0 && button(`Retry ${count(failed)} failed`, () => void act('retry'), 'main'),
    h('p', { class: 'fault', role: 'alert' }, said),
  );
}
