import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { CpioEntry } from '../../src/server/boot/cpio.ts';
import { moduleFacts } from './elf.ts';
import { BuildFailure } from './failure.ts';

/**
 * Drivers that an image has, with what they depend on: wired network cards of PCs, of virtual machines and clouds, and USB
 * adapters; what such a card hangs on; keyboard and power button; watchdogs. No disk: the boot loader puts all into memory.
 */
const WANTED = `
  virtio_net e1000 e1000e igb igbvf igc ixgbe ixgbevf i40e iavf ice r8169 realtek 8139too 8139cp tg3 b44 bnx2 bnxt_en forcedeth
  skge sky2 alx atl1 atl1c atl1e atl2 atlantic jme via_rhine via_velocity natsemi sis900 ne2k_pci 3c59x sundance
  vmxnet3 pcnet32 hv_netvsc xen_netfront ena gve mana
  r8152 r8153_ecm ax88179_178a asix aqc111 cdc_ether cdc_ncm cdc_eem rndis_host smsc75xx smsc95xx lan78xx dm9601 mcs7830 pegasus rtl8150
  bcmgenet genet macb dwmac_generic dwmac_rk dwmac_sun8i mvneta mvpp2 hns3 thunder_bgx nicvf
  xhci_pci xhci_plat_hcd ehci_pci ohci_pci uhci_hcd dwc2 dwc3 usbhid hid_generic
  virtio_pci virtio_mmio virtio_rng hv_vmbus hv_utils pci_hyperv evdev button atkbd i8042 gpio_keys gpio_pl061
  softdog i6300esb iTCO_wdt sp5100_tco hpwdt bcm2835_wdt broadcom bcm_phy_lib
`
  .trim()
  .split(/\s+/);

/** Only those above, by the name that the kernel uses. */
interface Driver {
  /** From the folder of the kernel's modules. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly depends: readonly string[];
  /** To be loaded before, though nothing in it refers to them. */
  readonly before: readonly string[];
  readonly aliases: readonly string[];
}

/** The modules, byte for byte as they were signed, and the tables by which modprobe finds them. */
export function driverEntries(kernel: string): { release: string; entries: CpioEntry[] } {
  const [folder] = globSync('lib/modules/*', { cwd: kernel });
  if (folder === undefined) throw new BuildFailure(`there are no modules in ${kernel}`);
  const drivers = chooseDrivers(path.join(kernel, folder));
  const text = (name: string, lines: string[]): CpioEntry => ({
    name: `${folder}/${name}`,
    kind: 'file',
    bytes: Buffer.from(lines.map((line) => `${line}\n`).join('')),
  });
  const all = [...drivers].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    release: path.basename(folder),
    entries: [
      ...all.map(([, driver]): CpioEntry => ({ name: `${folder}/${driver.path}`, kind: 'file', bytes: driver.bytes })),
      text(
        'modules.dep',
        all.map(([name, driver]) => `${driver.path}: ${needsOf(drivers, name).join(' ')}`.trimEnd()),
      ),
      text(
        'modules.alias',
        all.flatMap(([name, { aliases }]) => aliases.map((alias) => `alias ${alias} ${name}`)),
      ),
    ],
  };
}

function chooseDrivers(folder: string): Map<string, Driver> {
  const files = new Map(
    globSync('kernel/**/*.ko', { cwd: folder }).map((file) => [nameOf(path.basename(file, '.ko')), file]),
  );
  const chosen = new Map<string, Driver>();
  const choose = (name: string): void => {
    const file = files.get(name);
    // What is not there is a part of the kernel itself, or of the other architecture's.
    if (file === undefined || chosen.has(name)) return;
    const driver = readDriver(file, readFileSync(path.join(folder, file)));
    chosen.set(name, driver);
    for (const other of [...driver.depends, ...driver.before]) choose(other);
  };
  for (const name of WANTED) choose(nameOf(name));
  return chosen;
}

function readDriver(file: string, bytes: Buffer): Driver {
  const facts = moduleFacts(bytes);
  const all = (key: string): string[] => facts.flatMap(([name, value]) => (name === key ? [value] : []));
  const listed = (text: string | undefined, by: RegExp): string[] => (text ?? '').split(by).filter(Boolean).map(nameOf);
  return {
    path: file,
    bytes,
    depends: all('depends').flatMap((names) => listed(names, /,/)),
    before: all('softdep').flatMap((rule) => listed(/pre:\s*(.*?)\s*(post:|$)/.exec(rule)?.[1], /\s+/)),
    aliases: all('alias'),
  };
}

/** All that a module needs, in the order in which modprobe wants to read it: what is loaded first comes last. */
function needsOf(drivers: ReadonlyMap<string, Driver>, name: string): string[] {
  const order: string[] = [];
  const visit = (each: string): void => {
    const driver = drivers.get(each);
    if (driver === undefined || order.includes(driver.path)) return;
    for (const other of [...driver.before, ...driver.depends]) visit(other);
    if (!order.includes(driver.path)) order.push(driver.path);
  };
  visit(name);
  return order.slice(0, -1).reverse();
}

/** The kernel takes both for the same. */
function nameOf(module: string): string {
  return module.replaceAll('-', '_');
}
