import { h, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import { bytes, count, rate } from '../figures.ts';
import type { WorkerRow } from '../fold.ts';
import { rateOf } from '../pace.ts';
import type { Api } from '../page/api.ts';
import { saying } from '../page/loading.ts';
import type { PageState } from '../page/page.ts';
import { Facts } from './facts.ts';
import { hostOf } from './server-list.ts';
import { StateMark } from './state-mark.ts';
import { lastSeen, Slots, workerState } from './worker-list.ts';
import { WorkerWork } from './worker-work.ts';

/** Everything about one worker. */
export function WorkerPage(props: { id: string; state: PageState; api: Api; leave: () => void }): JSX.Element {
  const { id, state, api, leave } = props;
  const worker = state.view.workers.get(id);
  if (worker === undefined) {
    return h(
      'section',
      null,
      h('h1', { tabIndex: -1 }, `Worker ${id}`),
      h('p', null, 'It is not here: it has left, or never was. ', h('a', { href: '/' }, 'Who is here?')),
    );
  }
  return h(
    'div',
    { class: 'worker' },
    h(
      'section',
      { class: 'now', 'aria-labelledby': 'worker' },
      h('h1', { id: 'worker', tabIndex: -1 }, h('bdi', null, worker.name)),
      h(
        'p',
        { class: 'standing' },
        h('span', { role: 'status' }, h(StateMark, workerState(worker))),
        h('span', null, `${count(worker.busy)} of ${count(worker.slots)} slots busy`),
        h('span', null, `last seen ${lastSeen(worker, state.now)}`),
      ),
      h(Slots, worker),
    ),
    state.me?.role === 'admin' && h(WorkerActions, { worker, api, leave }),
    h(WorkerWork, { worker, state, api }),
    h(
      'section',
      { 'aria-labelledby': 'about' },
      h('h2', { id: 'about' }, 'About'),
      h(Facts, { facts: aboutOf(worker, state.now) }),
    ),
  );
}

function WorkerActions({ worker, api, leave }: { worker: WorkerRow; api: Api; leave: () => void }): JSX.Element {
  const [said, setSaid] = useState('');
  const [isSure, setSure] = useState(false);
  const act = async (action: 'drain' | 'undrain' | 'stop') => {
    setSaid('');
    setSure(false);
    try {
      await api.post(`/v1/workers/${worker.id}/${action}`);
      if (action === 'stop') leave();
    } catch (error) {
      setSaid(`Could not ${action}: ${saying(error)}.`);
    }
  };
  const button = (label: string, run: () => void, kind = '') =>
    h('button', { key: label, type: 'button', class: kind, onClick: run }, label);
  return h(
    'div',
    { class: 'actions', role: 'group', 'aria-label': 'Actions' },
    worker.state === 'draining'
      ? button('Give it tasks again', () => void act('undrain'), 'main')
      : button('Drain', () => void act('drain')),
    isSure
      ? [button('Stop it for good', () => void act('stop'), 'danger'), button('No, keep it', () => setSure(false))]
      : button('Stop', () => setSure(true)),
    h('p', { class: 'fault', role: 'alert' }, said),
  );
}

function aboutOf(worker: WorkerRow, now: number): [string, string][] {
  const { kind, platform, memory, runners, labels, resources, queued, done, failed, token, id, server } = worker;
  const speed = rateOf(worker.pace, now);
  const facts: [string, string][] = [
    ['Kind', kind],
    ['Runs', runners.join(', ')],
    ['Speed', speed === undefined ? '–' : `${rate(speed)}/s`],
    ['Given ahead', count(queued)],
    ['Done', count(done)],
    ['Attempts failed', count(failed)],
  ];
  if (server !== undefined) facts.push(['Connected to', hostOf(server)]);
  if (platform !== undefined) facts.push(['Platform', platform]);
  if (memory !== undefined) facts.push(['Memory', bytes(memory)]);
  for (const [name, value] of Object.entries(labels)) facts.push([`Label ${name}`, value]);
  for (const [name, amount] of Object.entries(resources)) facts.push([`Has ${name}`, String(amount)]);
  return [...facts, ['Joined with', `token ${token}`], ['Id', id]];
}
