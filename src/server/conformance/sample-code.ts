/** What a task of the examination does: doubles a number, gives back anything else; 13 fails, and 14 takes half a second. */
const SAMPLES: Readonly<Record<string, string>> = {
  js: `export default async (input) => {
  if (input === 13) throw new Error('unlucky');
  if (input === 14) await new Promise((resolve) => setTimeout(resolve, 500));
  return typeof input === 'number' ? input * 2 : input;
};
`,
  python: `import time


def task(value, ctx):
    if value == 13:
        raise ValueError('unlucky')
    if value == 14:
        time.sleep(0.5)
    return value * 2 if isinstance(value, (int, float)) and not isinstance(value, bool) else value
`,
  exec: JSON.stringify({
    command: `case {} in
13) echo unlucky >&2; exit 1 ;;
14) sleep 0.5; echo 28 ;;
'' | *[!0-9]*) printf %s {} ;;
*) echo $(({} * 2)) ;;
esac`,
  }),
};

export function sampleCode(runner: string): string | undefined {
  return SAMPLES[runner];
}

/** Inputs of every kind that tasks of a runner take, and what they give for them. */
export function sampleValues(runner: string): {
  readonly inputs: readonly unknown[];
  readonly outputs: readonly unknown[];
} {
  if (runner === 'exec') {
    const texts = ['ü😀\n', `it's "$HOME" \\ \t`, ' '];
    return { inputs: [1, ['2'], ...texts.map((text) => [text])], outputs: [2, 4, ...texts] };
  }
  return {
    inputs: [1, 2.5, 'ü😀\n', true, { a: [1, { b: '' }] }],
    outputs: [2, 5, 'ü😀\n', true, { a: [1, { b: '' }] }],
  };
}

/** What a task has given: of a command, what it has printed (P24). */
export function outputOf(runner: string, value: unknown): unknown {
  if (runner !== 'exec') return value;
  const printed = (value as { stdout?: unknown } | null)?.stdout;
  return typeof printed === 'string' && /^\d+\n$/.test(printed) ? Number(printed) : printed;
}
