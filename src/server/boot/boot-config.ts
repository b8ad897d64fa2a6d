import { BOOT_CONFIG_BYTES } from '../../model/boot-limits.ts';

/**
 * What a booted machine is told of its farm: the file `/etc/mh.conf` of the image. Text, a line for each thing that is known,
 * filled up with empty lines to a length that never changes.
 */
export interface BootConfig {
  /** Addresses of servers of one farm, tried in turn. None: the machine looks elsewhere, and says so if there is none. */
  readonly server: readonly string[];
  readonly token?: string;
  /** What the owner of the machines lets tasks do more, as `manyhands join --allow` does. */
  readonly allow?: readonly BootAllowed[];
}

export type BootAllowed = 'exec';

/** The first line. It stands once in an image, so that the place of the configuration can be found. */
export const BOOT_CONFIG_MAGIC = '# manyhands boot configuration, version 1';

/** Where an image has its configuration: a path from the root, without the slash. */
export const BOOT_CONFIG_PATH = 'etc/mh.conf';

const ALLOWED: readonly string[] = ['exec'] satisfies BootAllowed[];

/** A sentence that says what is wrong with a configuration. */
export class BootConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BootConfigError';
  }
}

/** Exactly BOOT_CONFIG_BYTES bytes. Throws a BootConfigError where a value has no place in it. */
export function formatBootConfig({ server, token, allow = [] }: BootConfig): Uint8Array {
  for (const address of server) checkAddress(address);
  for (const each of allow) checkAllowed(each);
  const lines = [
    BOOT_CONFIG_MAGIC,
    ...(server.length > 0 ? [line('server', server.join(','))] : []),
    ...(token === undefined ? [] : [line('token', token)]),
    ...(allow.length > 0 ? [line('allow', allow.join(','))] : []),
  ];
  const text = new TextEncoder().encode(`${lines.join('\n')}\n`);
  if (text.length > BOOT_CONFIG_BYTES) {
    throw new BootConfigError(
      `a boot configuration has room for ${BOOT_CONFIG_BYTES} bytes, and this one needs ${text.length}: give fewer addresses`,
    );
  }
  const bytes = new Uint8Array(BOOT_CONFIG_BYTES).fill(0x0a);
  bytes.set(text);
  return bytes;
}

/** Keys that it does not know are those of a later version, and no reason to stay away from the farm. */
export function parseBootConfig(bytes: Uint8Array): BootConfig {
  const [magic = '', ...lines] = new TextDecoder().decode(bytes).split(/\r?\n/);
  if (magic.trimEnd() !== BOOT_CONFIG_MAGIC) {
    throw new BootConfigError(
      `/${BOOT_CONFIG_PATH} does not begin with "${BOOT_CONFIG_MAGIC}": it was made for another version of the image, or is damaged`,
    );
  }
  const values = new Map<string, string>();
  for (const each of lines) {
    const [, key, value] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(each) ?? [];
    if (key !== undefined && value !== undefined && value !== '') values.set(key, value);
  }
  const server = listed(values.get('server'));
  const allow = listed(values.get('allow'));
  const token = values.get('token');
  for (const each of allow) checkAllowed(each);
  return {
    server,
    ...(token !== undefined && { token }),
    ...(allow.length > 0 && { allow: allow as BootAllowed[] }),
  };
}

function listed(value: string | undefined): string[] {
  return (value ?? '').split(',').flatMap((each) => each.trim() || []);
}

function line(key: string, value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  if (/[\u0000-\u001f\u007f\u2028\u2029]/.test(value) || value !== value.trim() || value === '') {
    throw new BootConfigError(
      `the ${key} of a boot configuration is one line, without blanks around it: ${JSON.stringify(value)} is not`,
    );
  }
  return `${key}=${value}`;
}

function checkAddress(address: string): void {
  if (!/^https?:\/\/[^\s,#]+$/.test(address) || !URL.canParse(address)) {
    throw new BootConfigError(
      `${JSON.stringify(address)} is no address for a boot configuration: give something like http://HOST:7070`,
    );
  }
}

function checkAllowed(what: string): asserts what is BootAllowed {
  if (!ALLOWED.includes(what))
    throw new BootConfigError(`allow=${what} means nothing to a booted machine: it knows ${ALLOWED.join(', ')}`);
}
