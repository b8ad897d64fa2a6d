import { validate as deployment } from 'kubernetes-models/_schemas/IoK8sApiAppsV1Deployment';
import { validate as statefulSet } from 'kubernetes-models/_schemas/IoK8sApiAppsV1StatefulSet';
import { validate as service } from 'kubernetes-models/_schemas/IoK8sApiCoreV1Service';
import { validate as budget } from 'kubernetes-models/_schemas/IoK8sApiPolicyV1PodDisruptionBudget';
import { parseAllDocuments } from 'yaml';
import { isOpenPath, optionsIn, portOf, refusalOf } from './command-line.ts';
import { Unread } from './unread.ts';

interface Validate {
  (manifest: unknown): boolean;
  errors?: { instancePath: string; keyword: string; params: object }[] | null;
}

const validators: Readonly<Record<string, Validate>> = {
  'v1 Service': service as unknown as Validate,
  'apps/v1 StatefulSet': statefulSet as unknown as Validate,
  'apps/v1 Deployment': deployment as unknown as Validate,
  'policy/v1 PodDisruptionBudget': budget as unknown as Validate,
};

interface Container {
  readonly args: readonly string[];
  readonly env?: readonly { name: string; valueFrom?: { secretKeyRef: { name: string } } }[];
  readonly ports?: readonly { name: string; containerPort: number }[];
  readonly volumeMounts?: readonly { name: string; mountPath: string }[];
  readonly [probe: `${string}Probe`]: { httpGet?: { path: string; port: string | number } };
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  // biome-ignore lint/suspicious/noExplicitAny: what its kind says, which was checked before.
  readonly spec: any;
}

interface Pod {
  readonly containers: readonly Container[];
  readonly volumes?: readonly { name: string; secret?: { secretName: string } }[];
}

/** What is wrong with manifests: first by the schemas of Kubernetes, then what these cannot know. */
export async function kubernetesFaults(text: string): Promise<string[]> {
  const documents = parseAllDocuments(text);
  const unreadable = documents.flatMap(({ errors }) => errors.map(({ message }) => message));
  if (unreadable.length > 0) return unreadable;
  const manifests = documents.map((document) => document.toJS() as Manifest);
  const faults: string[] = [];
  for (const manifest of manifests) {
    const name = `${manifest.kind} ${manifest.metadata.name}`;
    const own = schemaFaults(manifest);
    if (own.length === 0) own.push(...(await ofManifest(manifest, manifests, text)));
    faults.push(...own.map((fault) => `${name}: ${fault}`));
  }
  return faults;
}

function schemaFaults(manifest: Manifest): string[] {
  const { apiVersion, kind } = manifest;
  const validate = validators[`${apiVersion} ${kind}`];
  if (validate === undefined) return [`nobody checks a ${kind} of ${apiVersion}`];
  const unread = new Unread();
  if (validate(unread.watch(manifest))) return unread.paths.map((path) => `${path} is no field`);
  return (validate.errors ?? []).map(
    ({ instancePath, keyword, params }) => `${instancePath}: ${keyword} ${JSON.stringify(params)}`,
  );
}

async function ofManifest({ kind, spec }: Manifest, all: readonly Manifest[], text: string): Promise<string[]> {
  switch (kind) {
    case 'Service':
      return ofService(spec, all);
    case 'PodDisruptionBudget':
      return selected(spec.selector.matchLabels, all).length === 0 ? ['it selects nothing'] : [];
    case 'StatefulSet':
    case 'Deployment': {
      const faults = await ofPod(spec.template.spec, all, text);
      if (!matches(spec.selector.matchLabels, spec.template.metadata.labels))
        faults.push('it does not select its own pods');
      if (
        kind === 'StatefulSet' &&
        !all.some((each) => each.kind === 'Service' && each.metadata.name === spec.serviceName)
      )
        faults.push(`there is no service ${spec.serviceName}`);
      return faults;
    }
    default:
      return [];
  }
}

function ofService(spec: Manifest['spec'], all: readonly Manifest[]): string[] {
  const pods = selected(spec.selector, all);
  if (pods.length === 0) return ['it selects nothing'];
  return (spec.ports as { targetPort: string }[]).flatMap(({ targetPort }) =>
    pods.every(({ spec: { template } }) => hasPort(template.spec, targetPort))
      ? []
      : [`no port is called ${targetPort}`],
  );
}

function hasPort({ containers }: Pod, name: string | number): boolean {
  return containers.some(({ ports }) => ports?.some((port) => port.name === name || port.containerPort === name));
}

function selected(labels: Record<string, string>, all: readonly Manifest[]): Manifest[] {
  return all.filter(({ spec }) => spec.template !== undefined && matches(labels, spec.template.metadata.labels));
}

function matches(wanted: Record<string, string>, labels: Record<string, string>): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

async function ofPod(pod: Pod, all: readonly Manifest[], text: string): Promise<string[]> {
  const faults: string[] = [];
  const secrets = new Set<string>();
  for (const { name, secret } of pod.volumes ?? []) {
    if (secret !== undefined) secrets.add(secret.secretName);
    if (!pod.containers.some(({ volumeMounts }) => volumeMounts?.some((mount) => mount.name === name)))
      faults.push(`nobody uses the volume ${name}`);
  }
  for (const container of pod.containers) {
    for (const { valueFrom } of container.env ?? []) if (valueFrom) secrets.add(valueFrom.secretKeyRef.name);
    for (const { name } of container.volumeMounts ?? [])
      if (!pod.volumes?.some((volume) => volume.name === name)) faults.push(`there is no volume ${name}`);
    faults.push(...(await ofArguments(container, all)), ...ofProbes(container, pod));
  }
  // They are not in a file, of course; but the head of the files says how each of them is made.
  for (const secret of secrets)
    if (!text.includes(`kubectl create secret generic ${secret} `))
      faults.push(`nobody says how the secret ${secret} is made`);
  return faults;
}

async function ofArguments({ args, env, ports, volumeMounts }: Container, all: readonly Manifest[]): Promise<string[]> {
  const variables = args.flatMap((each) => [...each.matchAll(/\$\((\w+)\)/g)].map(([, name]) => name));
  const missing = variables.filter((name) => !env?.some((each) => each.name === name));
  if (missing.length > 0) return missing.map((name) => `there is no variable ${name}`);
  const said = args.map((each) => each.replace(/\$\(DATABASE_URL\)/, 'postgres://manyhands@host:5432/manyhands'));
  const refused = await refusalOf(said);
  if (refused !== undefined) return [refused];
  const options = optionsIn(said);
  const faults: string[] = [];
  const port = options.get('port');
  if (port !== undefined && !ports?.some(({ containerPort }) => containerPort === Number(port)))
    faults.push(`it listens at ${port}, which is no port of it`);
  const file = options.get('token-file');
  if (file !== undefined && !volumeMounts?.some(({ mountPath }) => file.startsWith(`${mountPath}/`)))
    faults.push(`${file} lies in no volume`);
  for (const url of [options.get('public-url'), ...said.filter((each) => /^https?:/.test(each))]) {
    if (
      url !== undefined &&
      !all.some(
        ({ kind, metadata, spec }) =>
          kind === 'Service' &&
          metadata.name === new URL(url).hostname &&
          spec.ports.some((each: { port: number }) => each.port === portOf(url)),
      )
    )
      faults.push(`no service is at ${url}`);
  }
  return faults;
}

function ofProbes(container: Container, pod: Pod): string[] {
  const probes = Object.entries(container).filter(([name]) => name.endsWith('Probe')) as [
    string,
    { httpGet?: { path: string; port: string } },
  ][];
  if (container.args[0] === 'serve' && probes.length < 3) return ['it is not asked how it is'];
  return probes.flatMap(([name, { httpGet }]) => {
    if (httpGet === undefined) return [`${name} asks for nothing`];
    if (!hasPort(pod, httpGet.port)) return [`${name}: no port is called ${httpGet.port}`];
    return isOpenPath(httpGet.path) ? [] : [`${name}: ${httpGet.path} is no page that a probe may see`];
  });
}
