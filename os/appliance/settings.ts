import { BootConfigError, parseBootConfig } from '../../src/server/boot/boot-config.ts';
import type { Lease } from './network.ts';

/** What this machine was told of its farm, and by whom. */
export interface Settings {
  readonly server: readonly string[];
  readonly token: string | undefined;
  readonly allow: readonly 'exec'[];
  /** Who named the server, for people. */
  readonly from: string;
  /** What of it could not be understood. */
  readonly problem?: string;
}

/** Each may be told by several; who comes later in this list of arguments is nearer to this machine, and is believed. */
export interface Told {
  readonly leases: readonly Lease[];
  /** The text of `/etc/mh.conf`; empty: there is none. */
  readonly config: string;
  readonly cmdline: string;
}

type Part = Partial<Pick<Settings, 'server' | 'token' | 'allow' | 'problem'>>;

export function settingsFrom({ leases, config, cmdline }: Told): Settings {
  let settings: Settings = { server: [], token: undefined, allow: [], from: 'nobody' };
  const add = (from: string, { server = [], ...part }: Part): void => {
    settings = { ...settings, ...part, ...(server.length > 0 && { server, from }) };
  };
  for (const lease of leases) add('DHCP', fromLease(lease));
  if (config.trim() !== '') add('the image', fromConfig(config));
  add('the command line of the kernel', fromCmdline(cmdline));
  return settings;
}

function fromConfig(text: string): Part {
  try {
    return parseBootConfig(new TextEncoder().encode(text));
  } catch (error) {
    if (!(error instanceof BootConfigError)) throw error;
    return { problem: error.message };
  }
}

/** `mh.server=URL[,URL] mh.token=TOKEN mh.allow=exec`. */
function fromCmdline(text: string): Part {
  const values = new Map(
    [...text.matchAll(/(?:^|\s)mh\.(\w+)=(\S*)/g)].map(([, key = '', value = '']) => [key, value]),
  );
  return part(values.get('server'), values.get('token'), values.get('allow'));
}

/** Options 224 and 225 are for private use; a machine that was booted over HTTP knows whom it came from. */
function fromLease({ server, token, bootFile }: Lease): Part {
  const booted = /^(https?:\/\/[^/]+)\/boot\//.exec(bootFile ?? '')?.[1];
  return part(server ?? booted, token, undefined);
}

function part(server: string | undefined, token: string | undefined, allow: string | undefined): Part {
  const addresses = (server ?? '').split(',').flatMap((each) => each.trim() || []);
  return {
    server: addresses.map((each) => (/^https?:\/\//.test(each) ? each : `http://${each}`)),
    ...(token && { token }),
    ...(allow === 'exec' && { allow: ['exec'] as const }),
  };
}
