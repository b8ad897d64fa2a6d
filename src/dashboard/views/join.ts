import { Fragment, h, type JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { BrowserWorker, type Lending } from '../../worker/browser/browser-worker.ts';
import { type PauseWhen, tellable } from '../../worker/browser/page-life.ts';
import { count, duration } from '../figures.ts';
import type { Api } from '../page/api.ts';
import { keepChoices, keptChoices, type LendChoices } from '../page/lend-choices.ts';
import { saying } from '../page/loading.ts';
import { Copyable } from './copyable.ts';
import { Facts } from './facts.ts';
import { StateMark } from './state-mark.ts';

/** What a join link opens: the device that shows it can be lent, by one touch. */
export function Join({ api }: { api: Api | undefined }): JSX.Element {
  return h(
    'section',
    { class: 'letter' },
    h('h1', { tabIndex: -1 }, 'Lend this device'),
    api === undefined
      ? h('p', { class: 'fault' }, 'The link that you opened holds no token: take the whole of it, to its last letter.')
      : h(Lend, { token: api.token }),
    h('h2', null, 'Without a browser'),
    h(
      'p',
      null,
      'On a computer with Node 24.15 or newer and manyhands installed, this lends it until you stop it with Ctrl-C.',
    ),
    h(Copyable, {
      text: `npx --no manyhands join ${location.origin}/join#${api?.token ?? 'TOKEN'}`,
      label: 'the command that joins',
    }),
  );
}

function Lend({ token }: { token: string }): JSX.Element {
  const most = navigator.hardwareConcurrency ?? 1;
  const [choices, setChoices] = useState(() => keptChoices(most));
  const { slots, pauseWhen } = choices;
  const [worker, setWorker] = useState<BrowserWorker | undefined>(undefined);
  const [fault, setFault] = useState('');
  const lent = useRef<BrowserWorker | undefined>(undefined);
  const lending = useLending(worker);
  const isLent = lending !== undefined && lending.state !== 'ended';
  const lend = () => {
    try {
      setFault('');
      // The second of two quick touches may come before anything is drawn anew.
      if (lent.current !== undefined && lent.current.lending.state !== 'ended') return;
      lent.current = new BrowserWorker({ url: location.origin, token, slots, pauseWhen });
      setWorker(lent.current);
    } catch (error) {
      setFault(`This browser cannot be lent: ${saying(error)}`);
    }
  };
  const choose = (change: Partial<LendChoices>) => {
    const chosen = { ...choices, ...change };
    setChoices(chosen);
    keepChoices(chosen, most);
  };
  const stop = (event: MouseEvent) => {
    // The second of two quick touches meant the button that was here before.
    if (event.detail < 2) void worker?.stop();
  };
  return h(
    Fragment,
    null,
    h(
      'p',
      null,
      isLent
        ? `It computes for the farm at ${location.host} as long as this page is open.`
        : `One touch, and it computes for the farm at ${location.host} until you stop it or close this page. Tasks run in a closed box: they cannot read what is on this device, and reach no network.`,
    ),
    isLent
      ? h('button', { key: 'stop', id: 'stop', class: 'large', type: 'button', onClick: stop }, 'Stop')
      : h(
          'button',
          { key: 'lend', id: 'lend', class: 'large main', type: 'button', onClick: lend },
          'Lend this device',
        ),
    fault !== '' && h('p', { class: 'fault', role: 'alert' }, fault),
    lending !== undefined && h(Work, { lending }),
    h(SlotSlider, {
      slots,
      most,
      set: (wanted) => {
        choose({ slots: wanted });
        if (isLent) worker?.resize(wanted);
      },
    }),
    h(Pauses, {
      pauseWhen,
      set: (wanted) => {
        choose({ pauseWhen: wanted });
        if (worker !== undefined) worker.pauseWhen = wanted;
      },
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

function SlotSlider({ slots, most, set }: { slots: number; most: number; set: (slots: number) => void }): JSX.Element {
  return h(
    'div',
    null,
    h('label', { for: 'slots' }, `Tasks at once: ${slots} of ${most}`),
    h('input', {
      id: 'slots',
      type: 'range',
      min: 1,
      max: most,
      value: slots,
      onInput: (event: JSX.TargetedInputEvent<HTMLInputElement>) => set(event.currentTarget.valueAsNumber),
    }),
  );
}

const PAUSES = [
  ['lowBattery', 'the battery is low and not charging'],
  ['metered', 'the connection is metered'],
  ['hidden', 'this page is hidden'],
] as const;

/** What its owner may ask of it, as far as this browser can tell. */
function Pauses({ pauseWhen, set }: { pauseWhen: PauseWhen; set: (when: PauseWhen) => void }): JSX.Element {
  const can = tellable();
  return h(
    'fieldset',
    null,
    h('legend', null, 'Pause while'),
    PAUSES.filter(([name]) => can[name]).map(([name, words]) =>
      h(
        'label',
        { key: name, class: 'choice' },
        h('input', {
          type: 'checkbox',
          name,
          checked: pauseWhen[name] === true,
          onChange: (event: JSX.TargetedEvent<HTMLInputElement>) =>
            set({ ...pauseWhen, [name]: event.currentTarget.checked }),
        }),
        words,
      ),
    ),
  );
}

function Work({ lending }: { lending: Lending }): JSX.Element {
  const { job, done, failed, computed, busy, slots } = lending;
  return h(
    'div',
    null,
    h('p', { role: 'status' }, h(StateMark, stateWords(lending))),
    h(Facts, {
      facts: [
        [busy > 0 ? 'Works on' : 'Worked last on', job === undefined ? 'nothing yet' : h('bdi', null, job.name)],
        ['Tasks done here', count(done)],
        ...(failed > 0 ? [['Tasks that failed here', count(failed)] as const] : []),
        ['Computed', duration(computed)],
        ...(lending.state === 'ended' ? [] : [['Tasks now', `${busy} of ${slots}`] as const]),
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
    case 'pausing':
      return { word: `pausing after what runs: ${reason ?? ''}`, tone: 'waiting' };
    case 'paused':
      return { word: `paused: ${reason ?? ''}`, tone: 'waiting' };
    case 'away':
      return { word: `not connected, trying again: ${reason ?? ''}`, tone: 'failed' };
    case 'ended':
      return { word: `not lent: ${reason ?? ''}`, tone: 'waiting' };
  }
}
