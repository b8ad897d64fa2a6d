import {
  copyFileSync,
  globSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeConfigArchive } from '../../src/server/boot/config-archive.ts';
import { CPIO_CHANGED } from '../../src/server/boot/cpio.ts';
import type { Arch } from './places.ts';
import { os } from './places.ts';
import type { Packages } from './root.ts';
import { run } from './tools.ts';

/** What GRUB has to know: the forms of disks and images, Linux, and the words that its settings use. */
const MODULES =
  'iso9660 part_gpt part_msdos fat normal linux serial terminal test echo configfile search search_fs_file ls reboot halt smbios';

/** How a kind of firmware starts GRUB: as what, from which package, with which modules besides, and by which name. */
interface Loader {
  readonly format: string;
  readonly package: string;
  readonly modules: string;
  readonly file: string;
}

const UEFI_ARM: Loader = {
  format: 'arm64-efi',
  package: 'grub-efi-arm64-bin',
  modules: 'all_video gfxterm gzio',
  file: 'BOOTAA64.EFI',
};

/**
 * What Secure Boot starts on a PC: Microsoft has signed the first, which knows Debian's key, by which the second and the
 * kernel are signed. That one finds the rest of the image by SIGN.
 */
const SIGNED = [
  { package: 'shim-signed', from: 'usr/lib/shim/shimx64.efi.signed', to: 'BOOTX64.EFI' },
  {
    package: 'grub-efi-amd64-signed',
    from: 'usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed',
    to: 'grubx64.efi',
  },
] as const;
const SIGN = '.disk/info';

const BIOS: Loader = {
  format: 'i386-pc-eltorito',
  package: 'grub-pc-bin',
  modules: 'biosdisk vga_text',
  file: 'bios.img',
};

/** KiB of the partition that UEFI reads: GRUB, and what a file system of its own takes. A multiple of a track. */
const TRACK = 32;

/**
 * One image for a CD and for a stick, for BIOS (of PCs) and UEFI. What changes for a farm is a file of its own in it, the
 * archive with the configuration.
 */
export function writeIso(
  arch: Arch,
  packages: Packages,
  files: { vmlinuz: string; initrd: string },
  target: string,
): void {
  const work = mkdtempSync(path.join(tmpdir(), 'manyhands-iso-'));
  try {
    const root = path.join(work, 'root');
    const grub = path.join(root, 'boot/grub');
    mkdirSync(grub, { recursive: true });
    for (const [name, file] of Object.entries(files)) copyFileSync(file, path.join(root, 'boot', name));
    mkdirSync(path.dirname(path.join(root, SIGN)));
    writeFileSync(path.join(root, SIGN), 'manyhands\n');
    writeFileSync(path.join(root, 'boot/mh.cpio'), writeConfigArchive({ server: [] }));
    const settings = readFileSync(path.join(os, 'grub/grub.cfg'), 'utf8');
    writeFileSync(
      path.join(grub, 'grub.cfg'),
      settings.replaceAll('@SERIAL@', arch === 'x64' ? 'ttyS0,115200' : 'ttyAMA0'),
    );
    if (arch === 'x64') writeLoader(BIOS, packages, [], path.join(grub, BIOS.file));
    writeEfiPartition(arch, packages, work, path.join(grub, 'efi.img'));
    setTimes(root);
    writeDisk(arch, packages, root, `${target}.part`);
    renameSync(`${target}.part`, target);
  } finally {
    rmSync(work, { recursive: true });
  }
}

function writeLoader(loader: Loader, packages: Packages, more: readonly string[], file: string): void {
  const folder = path.join(packages(loader.package), 'usr/lib/grub', loader.format.replace('-eltorito', ''));
  const modules = [...MODULES.split(' '), ...loader.modules.split(' ')];
  run('grub-mkimage', ['-d', folder, '-O', loader.format, '-p', '/boot/grub', '-o', file, ...more, ...modules]);
}

/** UEFI starts a program from a FAT file system; that finds the rest by a file which only this image has. */
function writeEfiPartition(arch: Arch, packages: Packages, work: string, file: string): void {
  const tree = path.join(work, 'efi');
  const folder = path.join(tree, 'EFI/BOOT');
  mkdirSync(folder, { recursive: true });
  if (arch === 'arm64')
    writeLoader(UEFI_ARM, packages, ['-c', path.join(os, 'grub/early.cfg')], path.join(folder, UEFI_ARM.file));
  else
    for (const each of SIGNED) copyFileSync(path.join(packages(each.package), each.from), path.join(folder, each.to));
  setTimes(tree);
  const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
  const tracks = Math.ceil((bytes / 1024 + 96) / TRACK);
  writeFileSync(file, new Uint8Array(tracks * TRACK * 1024));
  const quiet = { env: { ...process.env, MTOOLS_SKIP_CHECK: '1', SOURCE_DATE_EPOCH: String(CPIO_CHANGED), TZ: 'UTC' } };
  run(
    'mformat',
    ['-i', file, '-N', '4d485731', '-v', 'MANYHANDS', '-t', String(tracks), '-h', '2', '-s', '32', '::'],
    quiet,
  );
  run('mcopy', ['-i', file, '-s', '-m', '-Q', path.join(tree, 'EFI'), '::/'], quiet);
}

function writeDisk(arch: Arch, packages: Packages, root: string, target: string): void {
  const date = `${new Date(CPIO_CHANGED * 1_000).toISOString().replace(/\D/g, '').slice(0, 14)}00`;
  const hybrid = (): string => path.join(packages(BIOS.package), 'usr/lib/grub/i386-pc/boot_hybrid.img');
  const bios = (): string[] => [
    ...['-b', 'boot/grub/bios.img', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table'],
    ...['--grub2-boot-info', '--grub2-mbr', hybrid()],
  ];
  const args = [
    ...['-as', 'mkisofs', '-quiet', '-volid', 'MANYHANDS', '-o', target, '-r', '-J', '-joliet-long'],
    ...['--set_all_file_dates', date, `--modification-date=${date}`],
    ...(arch === 'x64' ? bios() : []),
    ...['--protective-msdos-label', '--efi-boot', 'boot/grub/efi.img', '-efi-boot-part', '--efi-boot-image', root],
  ];
  run('xorriso', args, { env: { ...process.env, SOURCE_DATE_EPOCH: String(CPIO_CHANGED), TZ: 'UTC', LC_ALL: 'C' } });
}

/** The same for all, so that they are the same bytes tomorrow. */
function setTimes(folder: string): void {
  for (const name of [...globSync('**/*', { cwd: folder }), '.'])
    lutimesSync(path.join(folder, name), CPIO_CHANGED, CPIO_CHANGED);
}
