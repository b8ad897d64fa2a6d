import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { openSync, readFileSync, writeSync } from 'node:fs';
import os from 'node:os';

/** Milliseconds that the clock may be wrong: what servers tell is in whole seconds. */
const CLOCK_TOLERANCE = 2_000;

/** Milliseconds: hardware watchdogs restart a machine after half a minute or more. */
const WATCHDOG_EVERY = 5_000;

/** MiB: with less, no task has room beside the worker. */
const LEAST_MEMORY = 300;

export function describeMachine(): string {
  const cores = os.availableParallelism();
  const secure = hasSecureBoot() ? ', Secure Boot' : '';
  return `${os.hostname()}, ${os.arch()}, ${cores} ${cores === 1 ? 'core' : 'cores'}, ${memory()} MiB of memory${secure}`;
}

/** The kernel locks itself where its firmware has asked for its signature. */
function hasSecureBoot(): boolean {
  return /\[(integrity|confidentiality)\]/.test(read('/sys/kernel/security/lockdown'));
}

/** Tells this machine from all others, the same at each start: 32 hex digits, of what its maker and its cards say. */
export function machineId(): string {
  const parts = [read('/sys/class/dmi/id/product_uuid'), ...cardAddresses()];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32);
}

/** Of its network cards, as far as they are up. */
export function cardAddresses(): string[] {
  const all = Object.values(os.networkInterfaces()).flatMap((each) => each ?? []);
  return [...new Set(all.flatMap(({ mac, internal }) => (internal ? [] : [mac])))].sort();
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

export function memory(): number {
  return Math.round(os.totalmem() / 2 ** 20);
}

/** What is wrong with the machine itself, if anything. */
export function machineTrouble(): string | undefined {
  if (memory() >= LEAST_MEMORY) return undefined;
  return `this machine has ${memory()} MiB of memory for programs, and tasks may not fit: give it 384 or more`;
}

/** Sets the machine's clock where it is wrong: certificates and logs depend on it. */
export function setClock(time: number): void {
  if (Math.abs(time - Date.now()) <= CLOCK_TOLERANCE) return;
  execFileSync('date', ['-u', '-s', `@${Math.round(time / 1_000)}`], { stdio: 'ignore' });
  try {
    execFileSync('hwclock', ['-w', '-u'], { stdio: 'ignore' });
  } catch {
    // There is no clock that goes on while the machine is off.
  }
}

/**
 * Tells the watchdog that all is well, as long as this program's loop turns. One that hangs, or that is gone and does not
 * come back, has the machine restarted.
 */
export function feedWatchdog(): { letGo(): void } {
  let file: number | undefined;
  const feed = (text: string): void => {
    try {
      file ??= openSync('/dev/watchdog', 'w');
      writeSync(file, text);
    } catch {
      // There is none.
    }
  };
  feed('.');
  const timer = setInterval(() => feed('.'), WATCHDOG_EVERY);
  return {
    letGo() {
      clearInterval(timer);
      // A last V means that its silence is meant.
      feed('V');
    },
  };
}
