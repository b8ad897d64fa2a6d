import { h, type JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { count, plural } from '../figures.ts';
import { INPUT_FORMS, type InputLines, type RangeInputs, rangeInputs, typedInputs } from '../inputs.ts';
import { type InputFile, readInputFile } from '../page/input-file.ts';
import { saying } from '../page/loading.ts';
import { ReadFault } from '../read-fault.ts';

/** Characters of the first input that are shown. */
const SHOWN = 160;

/** Which inputs a form gives, in all the ways in which it can. */
export interface Choice {
  readonly kind: 'range' | 'typed' | 'file';
  readonly from: string;
  readonly to: string;
  readonly step: string;
  readonly typed: string;
  readonly file: InputFile | undefined;
}

export const firstChoice: Choice = { kind: 'range', from: '1', to: '100', step: '1', typed: '', file: undefined };

/** The inputs that are chosen. Throws a {@link ReadFault} where there are none. */
export function chosenInputs({ kind, from, to, step, typed, file }: Choice): InputLines | RangeInputs {
  if (kind === 'range') return rangeInputs(from, to, step);
  if (kind === 'file') {
    if (file === undefined) throw new ReadFault('there are no inputs: pick a file, or drop one here');
    return file.lines;
  }
  const inputs = typedInputs(typed);
  if (inputs.length === 0) throw new ReadFault('there are no inputs: type one a line');
  return inputs;
}

interface ChoiceProps {
  readonly choice: Choice;
  readonly setChoice: (choice: Choice) => void;
  readonly fault: string | undefined;
}

const KINDS = [
  ['range', 'Whole numbers'],
  ['typed', 'Typed here'],
  ['file', 'A file'],
] as const;

/** What the function is called with. A file that is dropped anywhere on it is taken. */
export function InputChoice({ choice, setChoice, fault }: ChoiceProps): JSX.Element {
  const [isOver, setOver] = useState(false);
  const [fileFault, setFileFault] = useState('');
  const newest = useRef(0);
  const take = async (file: File | undefined) => {
    if (file === undefined) return;
    const mine = ++newest.current;
    setFileFault('');
    try {
      const read = await readInputFile(file);
      if (mine === newest.current) setChoice({ ...choice, kind: 'file', file: read });
    } catch (error) {
      if (mine !== newest.current) return;
      setChoice({ ...choice, kind: 'file', file: undefined });
      setFileFault(`${file.name} cannot be used: ${saying(error)}.`);
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer?.files[0]);
  };
  const over = (event: DragEvent) => {
    event.preventDefault();
    setOver(true);
  };
  return h(
    'fieldset',
    { class: isOver ? 'over' : '', onDragOver: over, onDragLeave: () => setOver(false), onDrop: drop },
    h('legend', null, 'The inputs'),
    h(
      'div',
      { class: 'kinds' },
      KINDS.map(([kind, label]) =>
        h(
          'label',
          { key: kind },
          h('input', {
            type: 'radio',
            name: 'kind',
            value: kind,
            checked: choice.kind === kind,
            onChange: () => setChoice({ ...choice, kind }),
          }),
          label,
        ),
      ),
    ),
    choice.kind === 'range' && h(RangeFields, { choice, setChoice }),
    choice.kind === 'typed' && h(TypedField, { choice, setChoice }),
    choice.kind === 'file' && h(FileField, { file: choice.file, take: (file) => void take(file) }),
    h('p', { class: 'fault', role: 'alert' }, choice.kind === 'file' && fileFault !== '' ? fileFault : (fault ?? '')),
  );
}

function RangeFields({ choice, setChoice }: Pick<ChoiceProps, 'choice' | 'setChoice'>): JSX.Element {
  const fields = [
    ['from', 'from'],
    ['to', 'to'],
    ['step', 'in steps of'],
  ] as const;
  return h(
    'div',
    { class: 'range' },
    fields.map(([field, label]) =>
      h(
        'label',
        { key: field },
        h('span', null, label),
        h('input', {
          inputMode: 'numeric',
          size: 9,
          value: choice[field],
          onInput: (event: InputEvent) =>
            setChoice({ ...choice, [field]: (event.currentTarget as HTMLInputElement).value }),
        }),
      ),
    ),
  );
}

function TypedField({ choice, setChoice }: Pick<ChoiceProps, 'choice' | 'setChoice'>): JSX.Element {
  return h(
    'div',
    null,
    h('label', { for: 'typed', class: 'aside' }, 'One a line: JSON, or else it is taken as text.'),
    h('textarea', {
      id: 'typed',
      class: 'code',
      rows: 5,
      spellcheck: false,
      value: choice.typed,
      onInput: (event: InputEvent) =>
        setChoice({ ...choice, typed: (event.currentTarget as HTMLTextAreaElement).value }),
    }),
  );
}

function FileField({ file, take }: { file: InputFile | undefined; take: (file: File | undefined) => void }) {
  return h(
    'div',
    { class: 'drop' },
    h('label', { for: 'file' }, 'Drop a CSV, TSV, JSON, NDJSON or text file here, or pick one:'),
    h('input', {
      id: 'file',
      type: 'file',
      onChange: (event: Event) => {
        const input = event.currentTarget as HTMLInputElement;
        take(input.files?.[0]);
        // The same file, once it is mended, can be picked again.
        input.value = '';
      },
    }),
    h('div', { role: 'status' }, file !== undefined && h(FileWords, { file })),
  );
}

function FileWords({ file }: { file: InputFile }): JSX.Element {
  const { name, form, lines } = file;
  const [first = ''] = lines;
  return h(
    'div',
    null,
    h(
      'p',
      null,
      h('bdi', null, name),
      `: ${plural(lines.length, 'input')}`,
      h('span', { class: 'aside' }, ` (${INPUT_FORMS[form]})`),
    ),
    h('p', { class: 'aside' }, 'The first of them:'),
    h('pre', { tabIndex: 0 }, h('code', null, first.length > SHOWN ? `${first.slice(0, SHOWN)}…` : first)),
    lines.length > 1 && h('p', { class: 'aside' }, `and ${count(lines.length - 1)} more`),
  );
}
