import { h, type JSX } from 'preact';
import { Copyable } from './copyable.ts';

const TASK = `// square.ts
export default (n: number) => n * n;`;

/** What stands where the jobs will be. */
export function FirstJob(): JSX.Element {
  return h(
    'section',
    { class: 'panel', 'aria-labelledby': 'first' },
    h('h2', { id: 'first' }, 'Run a first job'),
    h(
      'p',
      null,
      'A job is one function and many inputs. ',
      h('a', { href: '/run' }, 'Paste a function and run it from here'),
      ', or put one into a file:',
    ),
    h(Copyable, { text: TASK, label: 'the task' }),
    h('p', null, 'and call it a thousand times, on whatever works here:'),
    h(Copyable, { text: 'npx manyhands run square.ts --range 1..1000', label: 'the command that runs it' }),
    h(
      'p',
      { class: 'aside' },
      'On the machine of the server the command finds it by itself; elsewhere add ',
      h('code', { class: 'long' }, `--url ${location.origin} --token-file FILE`),
      '.',
    ),
  );
}
