import { renderUnicodeCompact } from 'uqr';

/** What `serve` tells of a server that accepts connections. */
export function announce(
  server: {
    readonly url: string;
    readonly dashboardUrl: string;
    readonly joinUrl: string;
    readonly dataDir: string;
    readonly open: boolean;
  },
  { json, publicUrl, workers, netboot }: { json?: true; publicUrl?: string; workers?: number; netboot?: true },
): string {
  const { url, dashboardUrl, joinUrl, dataDir } = server;
  if (json) return `${JSON.stringify({ url, dashboardUrl, joinUrl, dataDir })}\n`;
  const lines = [
    `dashboard: ${dashboardUrl}`,
    `join: ${joinUrl}`,
    '      (in the browser of a phone, or in a terminal: manyhands join LINK)',
    `data: ${dataDir}`,
  ];
  if (workers) lines.push(`working: here too, on ${workers} ${workers === 1 ? 'slot' : 'slots'}`);
  const isReachable = server.open || publicUrl !== undefined;
  if (!isReachable) lines.push('phones: manyhands serve --lan');
  else if (joinUrl.startsWith('http:')) {
    lines.push('warning: plain HTTP, so whoever can listen on this network can read the token and the tasks');
  }
  if (netboot) {
    const { origin } = new URL(joinUrl);
    lines.push(`network boot: ${origin}/boot/ipxe (what iPXE is told; ${origin}/boot says how)`);
    lines.push('warning: --netboot gives every machine of this network a token to work here');
  }
  const text = `${lines.join('\n')}\n`;
  return isReachable ? `${text}\n${renderUnicodeCompact(joinUrl, { border: 1 })}\n` : text;
}
