import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** What DHCP told of the farm. */
export interface Lease {
  readonly server?: string;
  readonly token?: string;
  readonly bootFile?: string;
}

export interface Card {
  readonly name: string;
  /** Something is at the other end of its cable. */
  readonly isLinked: boolean;
  /** `asking`: DHCP was not answered yet; `silent`: it was asked several times. */
  readonly state: 'asking' | 'silent' | 'bound';
  readonly address?: string;
  readonly lease?: Lease;
}

/** The wired cards, and what the scripts in os/root know of each. */
export function readCards(classes = '/sys/class/net', states = '/run/net'): Card[] {
  return list(classes)
    .filter((name) => existsSync(`${classes}/${name}/device`))
    .map((name) => readCard(name, read(`${classes}/${name}/carrier`), read(`${states}/${name}`)));
}

export function readCard(name: string, carrier: string, state: string): Card {
  const [word = '', ...lines] = state.split('\n');
  const values = new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  const text = (key: string): string | undefined => values.get(key) || undefined;
  const unhex = (key: string): string | undefined =>
    Buffer.from(values.get(key) ?? '', 'hex')
      .toString('utf8')
      .replaceAll('\0', '')
      .trim() || undefined;
  const [address, server, token, bootFile] = [text('address'), unhex('server'), unhex('token'), text('boot_file')];
  return {
    name,
    isLinked: carrier.trim() === '1',
    state: word === 'bound' || word === 'silent' ? word : 'asking',
    ...(address !== undefined && { address }),
    ...(word === 'bound' && {
      lease: { ...(server && { server }), ...(token && { token }), ...(bootFile && { bootFile }) },
    }),
  };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** Empty where there is none yet: a card that is down does not tell its carrier either. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
