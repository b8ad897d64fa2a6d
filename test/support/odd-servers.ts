import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { WebSocketServer } from 'ws';
import { type Cleanup, cleanUp } from './cleanup.ts';
import { temporaryDirectory } from './directories.ts';

async function listening(t: Cleanup, server: http.Server | https.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Speaks TLS with a certificate that it has signed itself. Gives its port. */
export function selfSigned(t: Cleanup): Promise<number> {
  const folder = temporaryDirectory(t, 'tls');
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name)) as [string, string];
  const subject = ['-subj', '/CN=nobody', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, ...subject], {
    stdio: 'ignore',
  });
  const server = https.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) =>
    response.end('ok'),
  );
  return listening(t, server);
}

/** A server of a later version, which turns every worker away. Gives its port. */
export function laterVersion(t: Cleanup): Promise<number> {
  const server = http.createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(request.url === '/v1/me' ? '{"token":"t","role":"work"}' : '{}');
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.once('message', () => {
      const detail = 'this server speaks protocol version 99, this worker 1: upgrade the worker';
      socket.send(JSON.stringify({ kind: 'refused', code: 'upgrade', detail }));
      socket.close(4426, detail);
    });
  });
  return listening(t, server);
}
