import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { BootConfig } from '../../src/server/boot/boot-config.ts';
import { writeConfigArchive } from '../../src/server/boot/config-archive.ts';
import { writeCpio } from '../../src/server/boot/cpio.ts';
import type { Arch, BootImage } from './boot-image.ts';
import type { Cleanup } from './cleanup.ts';
import { repository, temporaryDirectory } from './directories.ts';
import { type Exit, type Running, start } from './processes.ts';

export interface MachineOptions {
  /** MiB. */
  readonly memory?: number;
  readonly cores?: number;
  /** Arguments of QEMU for how it boots; by default by `-kernel` and `-initrd`. */
  readonly boot?: readonly string[];
  /** In the archive that goes after the image's own; absent: there is none. */
  readonly config?: BootConfig;
  /** More for the command line of the kernel. */
  readonly append?: string;
  /** Null: its card is in a network in which nobody else is. */
  readonly network?: null;
  /** A card of QEMU; null: there is none. */
  readonly card?: string | null;
  readonly more?: readonly string[];
  /** Restarts where it would end. */
  readonly restarts?: boolean;
  /** A shell of root on a second serial line, for {@link Machine.shell}. Only where it boots by `-kernel`. */
  readonly hasShell?: boolean;
}

/** The address by which a machine of QEMU's user network reaches this one's loopback. */
export const HOST = '10.0.2.2';

const PROGRAMS: Readonly<Record<Arch, { qemu: string; kind: string[]; serial: string }>> = {
  x64: { qemu: 'qemu-system-x86_64', kind: [], serial: 'ttyS0' },
  arm64: { qemu: 'qemu-system-aarch64', kind: ['-machine', 'virt', '-cpu', 'cortex-a57'], serial: 'ttyAMA0' },
};

/** A machine of QEMU, all of it emulated: it is as slow, and the same, everywhere. Its serial line is read. */
export class Machine {
  readonly #running: Running;
  readonly #folder: string;
  readonly #begun = performance.now();

  private constructor(running: Running, folder: string) {
    this.#running = running;
    this.#folder = folder;
  }

  /** Gone when the test ends. */
  static start(t: Cleanup, image: BootImage, options: MachineOptions = {}): Machine {
    const { memory = 512, cores = 1, network, card = 'virtio-net-pci,romfile=', more = [], restarts } = options;
    const folder = temporaryDirectory(t, 'machine');
    const { qemu, kind } = PROGRAMS[image.manifest.architecture];
    const args = [
      ...kind,
      ...['-accel', 'tcg', '-m', String(memory), '-smp', String(cores)],
      ...['-nodefaults', '-display', 'none', '-serial', 'stdio'],
      ...['-monitor', `unix:${path.join(folder, 'monitor')},server,nowait`],
      ...(options.hasShell === true ? ['-serial', `unix:${path.join(folder, 'shell')},server,nowait`] : []),
      ...(restarts === true ? [] : ['-no-reboot']),
      ...(card === null
        ? []
        : ['-netdev', network === null ? 'hubport,id=n0,hubid=0' : 'user,id=n0', '-device', `${card},netdev=n0`]),
      ...(options.boot ?? directly(image, folder, options)),
      ...more,
    ];
    return new Machine(start(t, [qemu, ...args]), folder);
  }

  /** Seconds since it was switched on. */
  get age(): number {
    return (performance.now() - this.#begun) / 1_000;
  }

  /** Seconds of CPU time that it has used: on a machine that does other things too, a fairer measure than its age. */
  get cpuSeconds(): number {
    const text = readFileSync(`/proc/${this.#running.pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** What it has said on its serial line. */
  get said(): string {
    return this.#running.stdout;
  }

  /** Waits for a line; of those after the first `from` characters, if that is given. */
  async says(
    pattern: RegExp,
    { from = 0, timeout = 180_000 }: { from?: number; timeout?: number } = {},
  ): Promise<string> {
    const later = new RegExp(`(?<=^[^]{${from},})(?:${pattern.source})`, pattern.flags);
    const [said] = await this.#running.output(later, { stream: 'stdout', timeout });
    return said;
  }

  /** Waits until it is switched off. */
  async ends(timeout = 120_000): Promise<Exit> {
    return await this.#running.exit(timeout);
  }

  /** As if its plug were pulled. */
  async kill(): Promise<void> {
    await this.#running.kill();
  }

  /** Has a shell inside of it run a command as root, whatever comes of it. */
  async shell(text: string): Promise<void> {
    const socket = net.connect(path.join(this.#folder, 'shell'));
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.write(`${text}\n`, () => resolve());
    });
    socket.end();
  }

  /** Gives a command to QEMU's monitor: `set_link n0 off`, `system_powerdown`, `screendump FILE`. */
  async command(text: string): Promise<void> {
    const socket = net.connect(path.join(this.#folder, 'monitor'));
    let heard = '';
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('data', (bytes) => {
        heard += bytes.toString('latin1');
        const prompts = heard.split('(qemu) ').length - 1;
        if (prompts === 1 && !heard.includes(text)) socket.write(`${text}\n`);
        if (prompts > 1) resolve();
      });
    });
    socket.destroy();
  }
}

function directly(image: BootImage, folder: string, { config, append = '', hasShell }: MachineOptions): string[] {
  const initrd = path.join(image.folder, 'initrd');
  const whole = path.join(folder, 'initrd');
  const more = [
    ...(config === undefined ? [] : [writeConfigArchive(config)]),
    ...(hasShell === true ? [shellArchive()] : []),
  ];
  if (more.length > 0) writeFileSync(whole, Buffer.concat([readFileSync(initrd), ...more]));
  const console = PROGRAMS[image.manifest.architecture].serial;
  return [
    ...['-kernel', path.join(image.folder, 'vmlinuz'), '-initrd', more.length === 0 ? initrd : whole],
    // On a machine that is busy the kernel would think that the emulated timer is broken, and give up.
    ...['-append', `no_timer_check quiet panic=10 console=tty0 console=${console} ${append}`],
  ];
}

/** Lies over the image's own list of what is started, and names one thing more. */
function shellArchive(): Uint8Array {
  const list = readFileSync(path.join(repository, 'os/root/etc/inittab'), 'utf8');
  return writeCpio([
    { name: 'etc/inittab', kind: 'file', bytes: Buffer.from(`${list}ttyS1::respawn:/bin/sh\n`), permissions: 0o644 },
  ]);
}
