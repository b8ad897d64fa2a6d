import { h, type JSX } from 'preact';
import type { BootInfo } from '../boot-info.ts';
import { Copyable } from './copyable.ts';

/** What to tell the network, so that machines boot from here. */
export function NetworkBoot({ info: { netboot, server } }: { info: BootInfo }): JSX.Element {
  return h(
    'section',
    { class: 'panel', 'aria-labelledby': 'network' },
    h('h2', { id: 'network' }, 'From the network'),
    netboot
      ? h('p', { class: 'fault' }, 'Every machine of this network that asks is given a token to work here.')
      : h(
          'p',
          null,
          'Machines can boot from this server without a stick, if it is started so. It then gives every machine of the network that asks a token to work here:',
        ),
    !netboot && h(Copyable, { text: 'manyhands serve --lan --netboot', label: 'the command that serves it' }),
    h('p', null, 'iPXE is told one address; everything else follows from it:'),
    h(Copyable, { text: `chain ${server}/boot/ipxe`, label: 'the command for iPXE' }),
    waysOf(server).map(([title, text]) =>
      h('details', null, h('summary', null, title), h(Copyable, { text, label: `what to tell ${title}` })),
    ),
  );
}

function waysOf(server: string): [string, string][] {
  const url = `${server}/boot/ipxe`;
  return [
    [
      'dnsmasq, beside the DHCP server that there is',
      [
        'port=0',
        'dhcp-range=192.168.0.0,proxy   # your network',
        'enable-tftp',
        'tftp-root=/srv/tftp            # with ipxe.efi and undionly.kpxe from the package ipxe',
        'dhcp-match=set:ipxe,175',
        'pxe-service=tag:!ipxe,x86PC,"iPXE",undionly.kpxe',
        'pxe-service=tag:!ipxe,x86-64_EFI,"iPXE",ipxe.efi',
        `pxe-service=tag:ipxe,x86PC,"manyhands",${url}`,
        `pxe-service=tag:ipxe,x86-64_EFI,"manyhands",${url}`,
      ].join('\n'),
    ],
    [
      'a DHCP server of your own (ISC dhcpd)',
      [
        'if exists user-class and option user-class = "iPXE" {',
        `  filename "${url}";`,
        '} else {',
        '  next-server 192.168.0.2;      # a TFTP server with ipxe.efi',
        '  filename "ipxe.efi";',
        '}',
      ].join('\n'),
    ],
    [
      'QEMU',
      `qemu-system-x86_64 -m 1024 -smp 2 -boot n -netdev user,id=n,bootfile=${url.replace(/\/\/(127\.0\.0\.1|localhost)/, '//10.0.2.2')} -device virtio-net-pci,netdev=n`,
    ],
    [
      'Proxmox',
      [
        '# the image, once it is in local:iso; a virtual machine of 2 cores and 1 GiB',
        'qm create 900 --name manyhands --memory 1024 --cores 2 --net0 virtio,bridge=vmbr0 --cdrom local:iso/manyhands-x64.iso --boot order=ide2',
        'qm start 900',
      ].join('\n'),
    ],
    [
      'VirtualBox',
      [
        'VBoxManage createvm --name manyhands --ostype Debian_64 --register',
        'VBoxManage modifyvm manyhands --memory 1024 --cpus 2 --nic1 bridged --bridgeadapter1 eth0',
        'VBoxManage storagectl manyhands --name ide --add ide',
        'VBoxManage storageattach manyhands --storagectl ide --port 0 --device 0 --type dvddrive --medium manyhands-x64.iso',
        'VBoxManage startvm manyhands',
      ].join('\n'),
    ],
  ];
}
