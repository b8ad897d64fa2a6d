import { createServer } from 'node:http';
import { mkdtempSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { WebSocketServer } from 'ws';
import { openSqliteStore } from './src/store/sqlite/sqlite-store.ts';
import { openFileBlobs } from './src/store/blobs/file-blobs.ts';
import { Core } from './src/server/core.ts';
import { systemClock } from './src/server/clock.ts';
import { attachSocket } from './src/server/sockets.ts';
import { startWorker } from './src/worker/node/join.ts';
if (process.argv[2] === 'worker') { startWorker({ url: process.argv[3]!, slots: 2 }).on('status', (s) => console.log(s)); }
else {
  const dir = mkdtempSync('/tmp/slice-');
  const core = new Core({ store: await openSqliteStore(dir), blobs: await openFileBlobs(dir), clock: systemClock });
  await core.start();
  const http = createServer(); const wss = new WebSocketServer({ noServer: true, handleProtocols: () => 'manyhands.v1' });
  http.on('upgrade', (q, s, h) => wss.handleUpgrade(q, s, h, (ws) => attachSocket(ws, core.workerGateway, { token: 't', role: 'work' }, core.loop)));
  await new Promise<void>((r) => http.listen(0, '127.0.0.1', r));
  const url = `http://127.0.0.1:${(http.address() as any).port}/join#x`;
  const { spawn } = await import('node:child_process');
  const w = spawn(process.execPath, ['.slice.ts', 'worker', url], { stdio: 'inherit' });
  await new Promise((r) => setTimeout(r, 2500));
  const code = 'export default async (i) => i*i;';
  const sync = 'export default (i) => i*i;';
  async function job(code: string, count: number) {
    const sha256 = createHash('sha256').update(code).digest('hex');
    const t = performance.now();
    const { job } = await core.submit({ name: 'j', code: { runner: 'js', sha256, size: code.length, sourceName: 's.js' }, range: { start: 0, step: 1, count } } as never, 'o', false, code);
    for (;;) { const j = await core.readJob(job); if (j && j.progress.state !== 'active') { const ms = performance.now() - t; console.log(count, 'tasks', j.progress.state, j.progress.done, ms.toFixed(0), 'ms', (count / ms * 1e3).toFixed(0), '/s', 'busy', (j.progress.busyMicros/1e3).toFixed(0)); return; } await new Promise((r) => setTimeout(r, 50)); if (performance.now() - t > 40000) { console.log('stuck', j?.progress); return; } }
  }
  await job(sync,100);
  (core.logs as any).add = (l: any) => console.log(l.text);
  const gap = `const g=[]; let last; export default async (i,c) => { const s=performance.now(); if(last!==undefined) g.push(s-last); await new Promise(r=>setTimeout(r,10)); last=performance.now(); if(g.length===400){ const t=[...g].sort((a,b)=>a-b); c.log('gap p10 '+t[40].toFixed(3)+' p50 '+t[200].toFixed(3)+' p90 '+t[360].toFixed(3)+' p99 '+t[396].toFixed(3)+' max '+t[399].toFixed(2)+' sum '+t.reduce((a,b)=>a+b).toFixed(1)+' over1 '+t.filter(x=>x>1).length); } };`;
  await job(gap, 1000);
  w.kill(); process.exit();
}
