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
};

export function sampleCode(runner: string): string | undefined {
  return SAMPLES[runner];
}
