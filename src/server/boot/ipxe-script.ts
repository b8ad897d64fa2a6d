import type { BootImage } from './boot-images.ts';

/**
 * What iPXE does to boot a machine from this server: it takes the kernel, the image's files and the configuration, and tries
 * for ever, since nobody may stand beside it.
 */
export function ipxeScript(origin: string, images: readonly BootImage[]): string {
  const options = images.map(
    ({ architecture, commandLine }) => `iseq \${arch} ${architecture} && set options ${commandLine} ||\n`,
  );
  return `#!ipxe
set base ${origin}/boot
iseq \${buildarch} arm64 && set arch arm64 || set arch x64
set options quiet panic=10
${options.join('')}:fetch
kernel --name vmlinuz \${base}/vmlinuz?arch=\${arch} initrd=initrd initrd=mh.cpio \${options} || goto again
initrd --name initrd \${base}/initrd?arch=\${arch} || goto again
initrd --name mh.cpio \${base}/mh.cpio?arch=\${arch} || goto again
boot || goto again
:again
echo manyhands: the image could not be fetched from \${base}; the next try is in 5 seconds
sleep 5
imgfree
goto fetch
`;
}
