import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { repository, temporaryDirectory } from '../support/directories.ts';
import { composeFaults } from './compose.ts';
import { kubernetesFaults } from './kubernetes.ts';

const folder = path.join(repository, 'deploy');
const read = (...names: string[]) => names.map((name) => readFileSync(path.join(folder, name), 'utf8')).join('\n---\n');

/** One change of a file, and what must be said about it. */
type Planted = readonly [from: string | RegExp, to: string, says: RegExp];

function planted(text: string, [from, to]: Planted): string {
  const changed = text.replace(from, to);
  assert.notEqual(changed, text, `${from} is not there`);
  return changed;
}

describe('deploy/compose.yaml', () => {
  const text = read('compose.yaml');
  const faultsOf = (t: Parameters<typeof temporaryDirectory>[0], yaml: string) =>
    composeFaults(yaml, temporaryDirectory(t, 'compose'), readdirSync(folder));

  test('keeps the schema of the Compose specification, and all that it names is there', async (t) => {
    assert.deepEqual(await faultsOf(t, text), []);
  });

  const faults: Record<string, Planted> = {
    'a field that there is not': [
      'stop_grace_period: 15s',
      'stop_grace: 15s',
      /services\/server-1.*must NOT have additional properties/,
    ],
    'a value of another kind': ['init: true', 'init: 7', /init.*must be/],
    'an option that there is not': ['--host=', '--hosts=', /^server-1: error: unknown option '--hosts=/m],
    'a secret that there is not': [
      '      - worker.token',
      '      - workers.token',
      /^worker: the secret workers\.token is not there/m,
    ],
    'a token that is no secret': [
      'secrets/worker.token',
      'secrets/token',
      /^worker: \/run\/secrets\/token is no secret/m,
    ],
    'a volume that there is not': ['- server-2:/', '- server-3:/', /^server-2: the volume server-3 is not there/m],
    'a file that there is not': ['./haproxy.cfg', './proxy.cfg', /^balancer: the file \.\/proxy\.cfg is not there/m],
    'a service that there is not': [/(depends_on:\n {4})postgres/, '$1database', /^server-1: depends on database/m],
    'another database': [
      'POSTGRES_DB: manyhands',
      'POSTGRES_DB: farm',
      /^server-1: postgres:.* is not what postgres makes/m,
    ],
    'a password that all may read': [
      'manyhands@postgres',
      'manyhands:secret@postgres',
      /^server-1: .* shows a password/m,
    ],
    'a page that probes may not see': [
      '7070/healthz',
      '7070/metrics',
      /^server-1: \/metrics is no page that a probe may see/m,
    ],
    'a name that servers do not answer to': [
      '      - http://farm:7070',
      '      - http://server-1:7070',
      /^worker: server-1 names fewer/m,
    ],
    'another port': ['      - http://farm:7070', '      - http://farm:7071', /^worker: nobody listens at/m],
    'a port for the whole world': [
      '127.0.0.1:7070:7070',
      '7070:7070',
      /"balancer" is exporting port "7070:7070" without/,
    ],
  };
  for (const [title, fault] of Object.entries(faults)) {
    test(`${title} is found`, async (t) => {
      assert.match((await faultsOf(t, planted(text, fault))).join('\n'), fault[2]);
    });
  }
});

describe('deploy/kubernetes', () => {
  const text = read('kubernetes/servers.yaml', 'kubernetes/workers.yaml');

  test('keeps the schemas of Kubernetes, and all that it names is there', async () => {
    assert.deepEqual(await kubernetesFaults(text), []);
    assert.deepEqual(readdirSync(path.join(folder, 'kubernetes')).sort(), ['servers.yaml', 'workers.yaml']);
  });

  const faults: Record<string, Planted> = {
    'a field that there is not': ['fsGroup: 1000', 'fsGrupp: 1000', /^StatefulSet manyhands: .*fsGrupp is no field/m],
    'a field in the wrong place': [
      '          ports:\n',
      '          port:\n',
      /^StatefulSet manyhands: .*port is no field/m,
    ],
    'a value of another kind': ['replicas: 3', "replicas: '3'", /^StatefulSet manyhands: \/spec\/replicas: type/m],
    'a kind that there is not': ['policy/v1', 'policy/v2', /^PodDisruptionBudget manyhands: nobody checks/m],
    'what is missing': ['  serviceName: manyhands\n', '', /^StatefulSet manyhands: /m],
    'an option that there is not': [
      '--port=7070',
      '--ports=7070',
      /^StatefulSet manyhands: error: unknown option '--ports=/m,
    ],
    'another port': ['--port=7070', '--port=7071', /^StatefulSet manyhands: it listens at 7071/m],
    'a variable that there is not': ['- name: DATABASE_URL', '- name: DATABASE', /there is no variable DATABASE_URL/],
    'a page that probes may not see': ['path: /healthz', 'path: /ready', /readinessProbe: \/ready is no page/],
    'a port that a probe does not find': ['port: http\n', 'port: web\n', /no port is called web/],
    'a service that does not find it': [
      'targetPort: http',
      'targetPort: web',
      /^Service manyhands: no port is called web/m,
    ],
    'labels that do not fit': [
      'component: server\n  ports',
      'component: servers\n  ports',
      /^Service manyhands: it selects nothing/m,
    ],
    'a secret that nobody makes': ['secretName: manyhands-worker', 'secretName: workers', /the secret workers is made/],
    'a volume that there is not': [
      '- name: scratch\n              mountPath',
      '- name: scraps\n              mountPath',
      /there is no volume scraps/,
    ],
    'an address that nobody has': [
      '- http://manyhands:7070',
      '- http://farm:7070',
      /no service is at http:\/\/farm:7070/,
    ],
  };
  for (const [title, fault] of Object.entries(faults)) {
    test(`${title} is found`, async () => {
      assert.match((await kubernetesFaults(planted(text, fault))).join('\n'), fault[2]);
    });
  }
});
