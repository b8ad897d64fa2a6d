import { h, type JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { count } from '../figures.ts';
import type { Api } from '../page/api.ts';
import { saying } from '../page/loading.ts';
import type { PageState } from '../page/page.ts';
import { loadReaders } from '../page/readers.ts';
import { submit } from '../page/submission.ts';
import { jobPath } from '../places.ts';
import { placeIn, type ReadFault } from '../read-fault.ts';
import { type Choice, chosenInputs, firstChoice, InputChoice } from './input-choice.ts';

interface RunProps {
  readonly state: PageState;
  readonly api: Api;
  readonly go: (path: string) => void;
}

/** Where a function is pasted, given inputs, and run: nothing has to be installed for it. */
export function RunPage({ state, api, go }: RunProps): JSX.Element {
  const { me, view } = state;
  const isAllowed = me?.role === 'admin' || me?.role === 'submit';
  return h(
    'div',
    { class: 'run' },
    h(
      'section',
      { class: 'now' },
      h('h1', { tabIndex: -1 }, 'Run a function'),
      h('p', null, 'It is called once for each input, on whatever works here. The results can be downloaded.'),
      view.workers.size === 0 && h('p', { class: 'aside' }, 'No worker is here yet: the job will wait for one.'),
    ),
    me === undefined && h('p', { class: 'aside' }, 'Asking the server what this link may do…'),
    me !== undefined &&
      !isAllowed &&
      h(
        'p',
        { class: 'fault' },
        `This link may not run anything: its token has the role ${me.role}. Open one of the role submit or admin.`,
      ),
    isAllowed && h(RunForm, { api, go }),
  );
}

interface Fault {
  readonly about: 'code' | 'inputs' | 'server';
  readonly message: string;
  readonly place?: string | undefined;
}

function RunForm({ api, go }: Pick<RunProps, 'api' | 'go'>): JSX.Element {
  const [code, setCode] = useState('(x) => x * x');
  const [name, setName] = useState('');
  const [choice, setChoice] = useState<Choice>(firstChoice);
  const [fault, setFault] = useState<Fault | undefined>(undefined);
  const [busy, setBusy] = useState('');
  const key = useRef({ of: '', key: '' });
  const run = async () => {
    setFault(undefined);
    setBusy('Looking at the function…');
    try {
      const order = await orderOf(code, name, choice);
      // Whoever presses twice, since the first answer was lost, gets one job.
      const of = JSON.stringify([code, name, choice]);
      if (key.current.of !== of) key.current = { of, key: freshKey() };
      setBusy('Submitting…');
      const told = (inputs: number) => setBusy(`Submitting… ${count(inputs)} inputs are there.`);
      go(jobPath(await submit(api, { ...order, key: key.current.key }, told)));
    } catch (error) {
      setFault(error instanceof FormFault ? error.fault : { about: 'server', message: `${saying(error)}.` });
      setBusy('');
    }
  };
  return h(
    'form',
    {
      onSubmit: (event: SubmitEvent) => {
        event.preventDefault();
        if (busy === '') void run();
      },
    },
    h(CodeField, { code, setCode, fault: fault?.about === 'code' ? fault : undefined }),
    h(InputChoice, { choice, setChoice, fault: fault?.about === 'inputs' ? fault.message : undefined }),
    h(
      'section',
      null,
      h('label', { for: 'name' }, 'Name of the job'),
      h('input', {
        id: 'name',
        class: 'wide',
        value: name,
        maxLength: 200,
        placeholder: 'a pasted function',
        onInput: (event: InputEvent) => setName((event.currentTarget as HTMLInputElement).value),
      }),
    ),
    h(
      'div',
      { class: 'actions' },
      h('button', { type: 'submit', class: 'main', disabled: busy !== '' }, 'Run'),
      h('span', { role: 'status', class: 'aside' }, busy),
    ),
    h(
      'p',
      { class: 'fault', role: 'alert' },
      fault?.about === 'server' ? `The job was not accepted: ${fault.message}` : '',
    ),
  );
}

/** Carries where in the form the fault is. */
class FormFault extends Error {
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}

async function orderOf(code: string, name: string, choice: Choice) {
  const { taskModule } = await loadReaders();
  const attempt = <T>(about: 'code' | 'inputs', read: () => T): T => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'ReadFault') throw error;
      const { line, column, message } = error as ReadFault;
      const place = about === 'code' ? placeIn(code, { line, column }) : undefined;
      throw new FormFault({ about, message, place });
    }
  };
  return {
    code: attempt('code', () => taskModule(code)),
    inputs: attempt('inputs', () => chosenInputs(choice)),
    name: name.trim() === '' ? 'a pasted function' : name.trim(),
  };
}

/** Pages on plain HTTP have no `crypto.randomUUID`, but they have this. */
function freshKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function CodeField(props: { code: string; setCode: (code: string) => void; fault: Fault | undefined }): JSX.Element {
  const { code, setCode, fault } = props;
  return h(
    'section',
    null,
    h('h2', null, h('label', { for: 'code' }, 'The function')),
    h('textarea', {
      id: 'code',
      class: 'code',
      rows: 8,
      spellcheck: false,
      autocomplete: 'off',
      value: code,
      'aria-invalid': fault !== undefined,
      'aria-describedby': 'code-fault code-help',
      onInput: (event: InputEvent) => setCode((event.currentTarget as HTMLTextAreaElement).value),
    }),
    h(
      'p',
      { id: 'code-help', class: 'aside' },
      'JavaScript: a function of one input, or a module whose default export is one. It may be async.',
    ),
    h(
      'div',
      { id: 'code-fault', role: 'alert' },
      fault !== undefined && h('p', { class: 'fault' }, `This does not compile: ${fault.message}.`),
      fault?.place !== undefined && h('pre', { class: 'place', 'aria-hidden': 'true' }, fault.place),
    ),
  );
}
