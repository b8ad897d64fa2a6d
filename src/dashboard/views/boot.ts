import { h, type JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { BootInfo } from '../boot-info.ts';
import { bytes } from '../figures.ts';
import type { Api } from '../page/api.ts';
import { saying } from '../page/loading.ts';
import { Machines } from './boot-machines.ts';
import { NetworkBoot } from './boot-network.ts';
import { Copyable } from './copyable.ts';

interface Made {
  readonly token: string;
  readonly expiresAt: number;
  readonly until: number;
  readonly downloads: readonly { readonly architecture: string; readonly path: string; readonly bytes: number }[];
}

/** Where a machine without a system gets one that works for this farm. */
export function BootPage({ api }: { api: Api }): JSX.Element {
  const [info, setInfo] = useState<BootInfo | undefined>(undefined);
  const [fault, setFault] = useState('');
  const [looks, setLooks] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    api.json<BootInfo>('/v1/boot', control.signal).then(setInfo, (error: unknown) => {
      if (!control.signal.aborted) setFault(`What images there are is not known: ${saying(error)}.`);
    });
    return () => control.abort();
  }, [api, looks]);
  return h(
    'div',
    null,
    h('h1', { tabIndex: -1 }, 'Boot image'),
    h(
      'p',
      null,
      'Any PC becomes a worker: it boots from a USB stick, a CD or the network, and computes until it is switched off. Nothing is written to its disks.',
    ),
    fault !== '' && h('p', { class: 'fault', role: 'alert' }, fault),
    info !== undefined && info.images.length === 0 && h(NotBuilt, null),
    info !== undefined && info.images.length > 0 && h(Disks, { api, info }),
    info !== undefined && info.images.length > 0 && h(NetworkBoot, { info }),
    info !== undefined &&
      info.machines.length > 0 &&
      h(Machines, { api, machines: info.machines, look: () => setLooks(looks + 1) }),
  );
}

function NotBuilt(): JSX.Element {
  return h(
    'section',
    { class: 'panel', 'aria-labelledby': 'build' },
    h('h2', { id: 'build' }, 'No image has been built yet'),
    h('p', null, 'In a checkout of manyhands, on Linux; it says what it needs, and takes a few minutes:'),
    h(Copyable, { text: 'make -C os os-image', label: 'the command that builds an image' }),
    h('p', null, 'If it was built elsewhere, start the server with the folder that has x64 or arm64 in it:'),
    h(Copyable, { text: 'manyhands serve --lan --boot-images os/out', label: 'the command that serves it' }),
  );
}

function Disks({ api, info }: { api: Api; info: BootInfo }): JSX.Element {
  const [allowsExec, setAllowsExec] = useState(false);
  const [made, setMade] = useState<Made | undefined>(undefined);
  const [fault, setFault] = useState('');
  const make = async () => {
    try {
      setFault('');
      setMade(await api.post<Made>('/v1/boot/images', allowsExec ? { allow: ['exec'] } : {}));
    } catch (error) {
      setFault(`No image was made: ${saying(error)}.`);
    }
  };
  const outdated = info.images.filter(({ isCurrent }) => !isCurrent);
  return h(
    'section',
    { class: 'panel', 'aria-labelledby': 'disk' },
    h('h2', { id: 'disk' }, 'USB stick, CD or virtual disk'),
    isLoopback(info.server) &&
      h(
        'p',
        { class: 'fault' },
        'Machines would look for this server at ',
        h('code', null, info.server),
        ', which is themselves. Start it with ',
        h('code', null, 'manyhands serve --lan'),
        ' first.',
      ),
    outdated.map(({ architecture }) =>
      h(
        'p',
        { class: 'fault' },
        `The image for ${architecture} is of another version than this server: build it again.`,
      ),
    ),
    h(
      'p',
      null,
      'Each image gets a token that lets machines join; each machine swaps it for one of its own. Keep the stick as you keep a key.',
    ),
    h(
      'p',
      null,
      h('label', null, [
        h('input', {
          type: 'checkbox',
          checked: allowsExec,
          onChange: (event: Event) => setAllowsExec((event.currentTarget as HTMLInputElement).checked),
        }),
        ' Tasks may run commands on these machines (with busybox)',
      ]),
    ),
    h(
      'p',
      null,
      h('button', { type: 'button', onClick: () => void make() }, 'Make an image for this farm'),
      h('span', { class: 'aside' }, ` machines will look for it at ${info.server}`),
    ),
    fault !== '' && h('p', { class: 'fault', role: 'alert' }, fault),
    made !== undefined && h(Downloads, { made }),
  );
}

function Downloads({ made }: { made: Made }): JSX.Element {
  return h(
    'div',
    { role: 'status' },
    h(
      'ul',
      null,
      made.downloads.map(({ architecture, path, bytes: size }) =>
        h(
          'li',
          null,
          h('a', { href: path, download: '' }, `manyhands-${architecture}.iso`),
          ` (${bytes(size)}, ${NAMES[architecture] ?? architecture})`,
        ),
      ),
    ),
    h(
      'p',
      { class: 'aside' },
      `It can be fetched until ${new Date(made.until).toLocaleString()}, and machines may join by it until ${new Date(made.expiresAt).toLocaleDateString()}. To take it back, with every machine that joined by it: manyhands token revoke ${made.token}`,
    ),
    h('h3', null, 'Write it to a stick'),
    h('p', null, 'Everything on the stick is lost. Linux (lsblk names the stick; sdX is not its name):'),
    h(Copyable, {
      text: 'sudo dd if=manyhands-x64.iso of=/dev/sdX bs=4M conv=fsync status=progress',
      label: 'the command for Linux',
    }),
    h('p', null, 'macOS (diskutil list names it; unmount it first with diskutil unmountDisk):'),
    h(Copyable, { text: 'sudo dd if=manyhands-x64.iso of=/dev/rdiskN bs=4m', label: 'the command for macOS' }),
    h('p', null, 'Windows: Rufus, and there “DD image”; or any program that writes an image as it is.'),
  );
}

const NAMES: Readonly<Record<string, string>> = { x64: 'PCs', arm64: 'ARM servers and boards with UEFI' };

function isLoopback(address: string): boolean {
  return /^https?:\/\/(localhost|127\.|\[::1\])/.test(address);
}
