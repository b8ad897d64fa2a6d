import { h, type JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { BrowserWorker, type Lending } from '../../worker/browser/browser-worker.ts';
import { count, duration } from '../figures.ts';
import type { Api } from '../page/api.ts';
import { saying } from '../page/loading.ts';
import { Copyable } from './copyable.ts';
import { Facts } from './facts.ts';
import { StateMark } from './state-mark.ts';

/** What a join link opens: the device that shows it can be lent, by one touch. */
export function Join({ api }: { api: Api | undefined }): JSX.Element {
  const most = navigator.hardwareConcurrency ?? 1;
  const [slots, setSlots] = useState(most);
  const [worker, setWorker] = useState<BrowserWorker | undefined>(undefined);
  const [fault, setFault] = useState('');
  const lending = useLending(worker);
  const isLent = lending !== undefined && lending.state !== 'ended';
  const lend = () => {
    try {
      setFault('');
      setWorker(new BrowserWorker({ url: location.origin, token: api?.token ?? '', slots }));
    } catch (error) {
      setFault(`This browser cannot be lent: ${saying(error)}`);
    }
  };
  return h(
    'section',
    { class: 'letter' },
    h('h1', { tabIndex: -1 }, 'Lend this device'),
    h(
      'p',
      null,
      isLent
        ? 'It computes for this farm as long as this page is open.'
        : `One touch, and it computes for the farm at ${location.host} until you stop it or close this page. Tasks run in a closed box: they see nothing of this device and reach no network.`,
    ),
    api === undefined
      ? h('p', { class: 'fault' }, 'The link that you opened holds no token: take the whole of it, to its last letter.')
      : h(
          'p',
          null,
          isLent
            ? h('button', { id: 'stop', class: 'large', type: 'button', onClick: () => void worker?.stop() }, 'Stop')
            : h('button', { id: 'lend', class: 'large main', type: 'button', onClick: lend }, 'Lend this device'),
        ),
    fault !== '' && h('p', { class: 'fault', role: 'alert' }, fault),
    api !== undefined && h(SlotSlider, { slots, most, set: setSlots, isFixed: isLent }),
    lending !== undefined && h(Work, { lending }),
    h('h2', null, 'Or lend it without a browser'),
    h(
      'p',
      null,
      'On a computer with Node 24.15 or newer this runs until you stop it with Ctrl-C, and is a little faster.',
    ),
    h(Copyable, {
      text: `npx manyhands join ${location.origin}/join#${api?.token ?? 'TOKEN'}`,
      label: 'the command that joins',
    }),
  );
}

/** What a lent device does, as it changes. */
function useLending(worker: BrowserWorker | undefined): Lending | undefined {
  const [lending, setLending] = useState(worker?.lending);
  useEffect(() => {
    if (worker === undefined) return undefined;
    const look = () => setLending(worker.lending);
    look();
    worker.addEventListener('change', look);
    return () => worker.removeEventListener('change', look);
  }, [worker]);
  return worker === undefined ? undefined : lending;
}

function SlotSlider(props: {
  slots: number;
  most: number;
  set: (slots: number) => void;
  isFixed: boolean;
}): JSX.Element {
  const { slots, most, set, isFixed } = props;
  return h(
    'p',
    null,
    h('label', { for: 'slots' }, `Tasks at once: ${slots} of ${most}`),
    h('input', {
      id: 'slots',
      type: 'range',
      min: 1,
      max: most,
      value: slots,
      disabled: isFixed,
      onInput: (event: JSX.TargetedInputEvent<HTMLInputElement>) => set(event.currentTarget.valueAsNumber),
    }),
  );
}

function Work({ lending }: { lending: Lending }): JSX.Element {
  const { job, done, failed, computed, busy, slots, farm } = lending;
  return h(
    'div',
    null,
    h('p', { role: 'status' }, h(StateMark, stateWords(lending))),
    h(Facts, {
      facts: [
        ['For', farm === undefined ? '…' : h('bdi', null, farm)],
        [busy > 0 ? 'Works on' : 'Worked last on', job === undefined ? 'nothing yet' : h('bdi', null, job.name)],
        ['Tasks done here', count(done)],
        ...(failed > 0 ? [['Tasks that failed here', count(failed)] as const] : []),
        ['Computed', duration(computed)],
        ['Tasks now', `${busy} of ${slots}`],
      ],
    }),
  );
}

function stateWords({ state, busy, reason }: Lending): { word: string; tone: string } {
  switch (state) {
    case 'joining':
      return { word: 'joining', tone: 'waiting' };
    case 'working':
      return busy > 0 ? { word: 'computing', tone: 'running' } : { word: 'ready: waits for tasks', tone: 'waiting' };
    case 'away':
      return { word: `the server does not answer; trying again (${reason ?? ''})`, tone: 'failed' };
    case 'ended':
      return { word: `not lent: ${reason ?? ''}`, tone: 'waiting' };
  }
}
