import { h, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { BootInfo } from '../boot-info.ts';
import type { Api } from '../page/api.ts';
import { saying } from '../page/loading.ts';
import { workerPath } from '../places.ts';
import { StateMark } from './state-mark.ts';
import { Table } from './table.ts';

type Machine = BootInfo['machines'][number];

/** Machines that have joined by an image: to be woken, or shut out. */
export function Machines({
  api,
  machines,
  look,
}: {
  api: Api;
  machines: readonly Machine[];
  look: () => void;
}): JSX.Element {
  const [said, setSaid] = useState('');
  const act = async (what: string, ask: () => Promise<unknown>) => {
    try {
      await ask();
      setSaid(what);
      look();
    } catch (error) {
      setSaid(`It did not work: ${saying(error)}.`);
    }
  };
  const wake = ({ token, name }: Machine) =>
    act(`A magic packet was sent to ${name}. It wakes if its firmware lets it (Wake-on-LAN).`, () =>
      api.post(`/v1/boot/machines/${token}/wake`),
    );
  const shutOut = ({ token, name }: Machine) =>
    act(`${name} is shut out. It may come in again with another image.`, () =>
      api.ask(`/v1/tokens/${token}`, { method: 'DELETE' }),
    );
  return h(
    'section',
    { 'aria-labelledby': 'machines' },
    h('h2', { id: 'machines' }, 'Machines'),
    h(Table, {
      kind: 'machines',
      heads: ['Machine', 'State', 'Network cards', ''],
      rows: machines.map((machine) =>
        h(MachineLine, {
          key: machine.token,
          machine,
          wake: () => void wake(machine),
          shutOut: () => void shutOut(machine),
        }),
      ),
    }),
    h('p', { class: 'aside', role: 'status' }, said),
  );
}

function MachineLine(props: { machine: Machine; wake: () => void; shutOut: () => void }): JSX.Element {
  const { machine, wake, shutOut } = props;
  const { name, worker, cards, isShutOut } = machine;
  const button = (word: string, onClick: () => void) =>
    h('button', { type: 'button', class: 'quiet', 'aria-label': `${word} ${name}`, onClick }, word);
  return h(
    'tr',
    null,
    h(
      'th',
      { scope: 'row' },
      worker === undefined ? h('bdi', null, name) : h('a', { href: workerPath(worker) }, h('bdi', null, name)),
      cards.map((card) => h('div', { key: card, class: 'aside' }, card)),
    ),
    h('td', null, h(StateMark, stateOf(machine))),
    h(
      'td',
      null,
      worker === undefined && cards.length > 0 && button('Wake', wake),
      ' ',
      !isShutOut && button('Shut out', shutOut),
    ),
  );
}

function stateOf({ worker, isShutOut }: Machine): { word: string; tone: string } {
  if (isShutOut) return { word: 'shut out', tone: 'failed' };
  return worker === undefined ? { word: 'off', tone: 'waiting' } : { word: 'here', tone: 'running' };
}
