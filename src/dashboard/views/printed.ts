import { h, type JSX } from 'preact';
import { bytes, duration } from '../figures.ts';
import { Facts } from './facts.ts';

/** What a command has printed, in the form of `exec`'s results. */
interface Printed {
  readonly stdout: unknown;
  readonly stderr: unknown;
  readonly exitCode: number;
  readonly usage?: { readonly seconds?: number; readonly cpuSeconds?: number; readonly memory?: number };
}

/** Undefined: the value is not that of a command. */
export function printedIn(value: unknown): Printed | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { stdout, stderr, exitCode } = value as Partial<Printed>;
  return stdout !== undefined && stderr !== undefined && typeof exitCode === 'number' ? (value as Printed) : undefined;
}

/** As text, which the value in JSON is not. */
export function PrintedByCommand({ printed }: { printed: Printed }): JSX.Element {
  const { stdout, stderr, exitCode, usage } = printed;
  const facts: [string, string][] = [['Exit code', String(exitCode)]];
  if (typeof usage?.seconds === 'number') facts.push(['Ran', duration(usage.seconds * 1_000)]);
  if (typeof usage?.cpuSeconds === 'number') facts.push(['CPU time', duration(usage.cpuSeconds * 1_000)]);
  if (typeof usage?.memory === 'number') facts.push(['Most memory seen', bytes(usage.memory)]);
  return h(
    'section',
    { 'aria-labelledby': 'printed' },
    h('h2', { id: 'printed' }, 'Printed'),
    stdout === '' && stderr === '' && h('p', { class: 'aside' }, 'Nothing.'),
    h(Stream, { name: 'stdout', output: stdout }),
    h(Stream, { name: 'stderr', output: stderr }),
    h(Facts, { facts }),
  );
}

function Stream({ name, output }: { name: string; output: unknown }): JSX.Element | null {
  if (output === '') return null;
  const words = typeof output === 'string' ? undefined : wordsOf(output);
  return h(
    'div',
    null,
    h('h3', null, name),
    words === undefined ? h('pre', { tabIndex: 0 }, String(output)) : h('p', { class: 'aside' }, words),
  );
}

function wordsOf(output: unknown): string {
  const { blob } = (output ?? {}) as { blob?: { size?: unknown } };
  if (typeof blob?.size === 'number') return `${bytes(blob.size)}, too much to show here.`;
  return 'Bytes that are no text.';
}
