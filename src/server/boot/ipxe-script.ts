/**
 * What iPXE does to boot a machine from this server: it takes the kernel, the image's files and the configuration, and tries
 * for ever, since nobody may stand beside it. An emulated machine on a busy host seems to have a broken timer, which is no
 * reason to give up.
 */
export function ipxeScript(origin: string): string {
  return `#!ipxe
set base ${origin}/boot
set arch x64
set serial ttyS0
iseq \${buildarch} arm64 && set arch arm64 ||
iseq \${buildarch} arm64 && set serial ttyAMA0 ||
iseq \${manufacturer} QEMU && set quirks no_timer_check ||
:fetch
kernel --name vmlinuz \${base}/vmlinuz?arch=\${arch} initrd=initrd initrd=mh.cpio quiet panic=10 console=\${serial} console=tty0 \${quirks} || goto again
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
