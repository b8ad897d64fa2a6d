import { UsageError } from '../errors.ts';

/** Gathers a repeated `--label key=value`. */
export function collectLabel(text: string, labels: Record<string, string> = {}): Record<string, string> {
  const [key, value] = split(text, 'label', 'gpu=yes');
  return { ...labels, [key]: value };
}

/** Gathers a repeated `--resource key=amount`. */
export function collectResource(text: string, resources: Record<string, number> = {}): Record<string, number> {
  const [key, value] = split(text, 'resource', 'gpu=2');
  const amount = Number(value);
  if (value.trim() === '' || !Number.isFinite(amount) || amount < 0) {
    throw new UsageError(`the amount of "${text}" is not a number: write it as ${key}=2`);
  }
  return { ...resources, [key]: amount };
}

/** What a message has room for (protocol/shapes.ts). */
const KEY_LENGTH = 128;
const VALUE_LENGTH = 256;

function split(text: string, what: string, example: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`"${text}" is not a ${what}: write it as ${example}`);
  if (at > KEY_LENGTH || text.length - at - 1 > VALUE_LENGTH) {
    throw new UsageError(
      `the ${what} ${text.slice(0, 20)}… is too long: ${KEY_LENGTH} characters before the =, ${VALUE_LENGTH} after it`,
    );
  }
  return [text.slice(0, at), text.slice(at + 1)];
}
