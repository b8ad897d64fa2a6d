// Writes inputs.lock anew, with the newest packages that the machine's apt knows and the Node that the repository pins.
// `make -C os update-inputs`; then build, boot, and commit the file.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Apt } from './apt.ts';
import { BuildFailure, runStep } from './failure.ts';
import { type Input, type Lock, sha256Of, writeLock } from './lock.ts';
import { packNode } from './node-binary.ts';
import { type Arch, names, repository } from './places.ts';
import { requireTools } from './tools.ts';
import { inTurn } from './turn.ts';

/** Of Debian, beside the kernel: the programs and libraries of the image, then what its boot loader is made of. */
const PACKAGES: Readonly<Record<Arch, readonly string[]>> = {
  x64: [...packagesOfAll(), 'grub-pc-bin', 'shim-signed', 'grub-efi-amd64-signed'],
  arm64: [...packagesOfAll(), 'grub-efi-arm64-bin'],
};

function packagesOfAll(): string[] {
  return ['busybox-static', 'libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1', 'util-linux', 'libcap-ng0'];
}

/** The kernel for everything: that for clouds lacks the cards of PCs, and is no smaller. */
function newestKernel(apt: Apt, arch: Arch): Input {
  const all = `linux-image-${names[arch].debian}`;
  const [, name] = /^(linux-image-\S+)/.exec(apt.show(all).get('Depends') ?? '') ?? [];
  if (name === undefined) throw new BuildFailure(`${all} names no kernel: is this machine's apt set up for Debian?`);
  return apt.newest(name);
}

function newestNode(arch: Arch): Input {
  const { optionalDependencies } = JSON.parse(readFileSync(path.join(repository, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  const name = `node-linux-${arch}`;
  const version = optionalDependencies[name] ?? '';
  return { name, version, sha256: sha256Of(readFileSync(packNode(arch, name, version))) };
}

function update(): void {
  requireTools('apt-get', 'apt-cache', 'npm', 'tar');
  const newest = (arch: Arch): Lock['inputs'][Arch] => {
    const apt = new Apt(arch);
    const debian = PACKAGES[arch].map((name) => apt.newest(name));
    return { kernel: newestKernel(apt, arch), debian, npm: newestNode(arch) };
  };
  const inputs = { x64: newest('x64'), arm64: newest('arm64') };
  const [, debian = ''] = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
  writeLock({ debian, inputs });
  console.log(`os: inputs.lock names the newest packages of ${debian} and Node ${inputs.x64.npm.version}`);
}

await runStep(() => inTurn(update));
