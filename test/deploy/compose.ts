import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { DCLinter } from 'dclint';
import { parse } from 'yaml';
import { isOpenPath, optionsIn, portOf, refusalOf } from './command-line.ts';

interface Service {
  readonly image?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly networks?: Readonly<Record<string, { aliases?: readonly string[] } | null>>;
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly profiles?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, { file?: string }>>;
}

/** The port that a server listens on, unless it is told another one. */
const PORT = 7070;

/** What is wrong with a Compose file: first by the specification's own schema, then what that cannot know. */
export async function composeFaults(text: string, directory: string, files: readonly string[]): Promise<string[]> {
  const bySchema = schemaFaults(text, directory);
  if (bySchema.length > 0) return bySchema;
  const compose = parse(text, { merge: true }) as Compose;
  const faults: string[] = [];
  for (const [name, service] of Object.entries(compose.services)) {
    for (const fault of [
      ...references(service, compose, files),
      ...(service.command === undefined ? [] : await ofCommand(service.command, compose)),
      ...ofProbe(service),
    ]) {
      faults.push(`${name}: ${fault}`);
    }
  }
  return faults;
}

function schemaFaults(text: string, directory: string): string[] {
  const file = path.join(directory, 'compose.yaml');
  writeFileSync(file, text);
  const linter = new DCLinter({ rules: {}, quiet: true, debug: false, exclude: [] });
  const results = linter.lintFiles([file], false) as { messages: { type: string; message: string }[] }[];
  const messages = results.flatMap((result) => result.messages);
  return messages.filter(({ type }) => type === 'error').map(({ message }) => message);
}

/** Whatever is named is there. */
function references(
  { depends_on, volumes, secrets, profiles }: Service,
  compose: Compose,
  files: readonly string[],
): string[] {
  const faults: string[] = [];
  for (const [other, { condition }] of Object.entries(depends_on ?? {})) {
    const service = compose.services[other];
    if (service === undefined) faults.push(`depends on ${other}, which is not there`);
    else if (condition === 'service_healthy' && service.healthcheck === undefined)
      faults.push(`${other} never says that it is healthy`);
    else if (service.profiles !== undefined && profiles === undefined) faults.push(`${other} is not always there`);
  }
  for (const volume of volumes ?? []) {
    const [source = ''] = volume.split(':');
    if (source.startsWith('.')) {
      if (!files.includes(path.basename(source))) faults.push(`the file ${source} is not there`);
    } else if (!Object.hasOwn(compose.volumes ?? {}, source)) faults.push(`the volume ${source} is not there`);
  }
  for (const secret of secrets ?? [])
    if (!Object.hasOwn(compose.secrets ?? {}, secret)) faults.push(`the secret ${secret} is not there`);
  return faults;
}

/** The command takes it, and what it names is a service, a secret or an alias. */
async function ofCommand(command: readonly string[], compose: Compose): Promise<string[]> {
  const said = command.map(withDefaults);
  const refused = await refusalOf(said);
  if (refused !== undefined) return [refused];
  const faults: string[] = [];
  const options = optionsIn(said);
  const store = options.get('store');
  if (store !== undefined) faults.push(...ofDatabase(store, compose));
  const file = options.get('token-file');
  if (file !== undefined && !Object.hasOwn(compose.secrets ?? {}, path.basename(file)))
    faults.push(`${file} is no secret`);
  const urls = [options.get('public-url'), ...said.filter((each) => /^https?:/.test(each))];
  for (const url of urls.filter((each) => each !== undefined)) {
    for (const each of url.split(',')) faults.push(...ofAddress(each, compose));
  }
  return faults;
}

function ofDatabase(store: string, compose: Compose): string[] {
  const { hostname, username, pathname, password } = new URL(store);
  const { POSTGRES_USER: user, POSTGRES_DB: database } = compose.services[hostname]?.environment ?? {};
  if (user !== username || `/${database}` !== pathname) return [`${store} is not what ${hostname} makes`];
  return password === '' ? [] : [`${store} shows a password to all who see the list of processes`];
}

/** A name of servers, all of which answer to it. */
function ofAddress(url: string, compose: Compose): string[] {
  const { hostname } = new URL(url);
  const servers = Object.values(compose.services).filter(({ networks }) =>
    networks?.['default']?.aliases?.includes(hostname),
  );
  if (servers.length < 2) return [`${hostname} names fewer than two servers`];
  const answers = servers.every(({ command = [] }) => {
    const told = optionsIn(command.map(withDefaults)).get('public-url');
    return told !== undefined && new URL(told).hostname === hostname;
  });
  if (!answers) return [`not all servers answer to the name ${hostname}`];
  return portOf(url) === PORT ? [] : [`nobody listens at ${url}`];
}

function ofProbe({ healthcheck, command }: Service): string[] {
  if (command?.[0] !== 'serve') return [];
  const url = /http:\/\/127\.0\.0\.1:(\d+)(\/[\w/]*)/.exec(healthcheck?.test.join(' ') ?? '');
  if (url === null) return ['nobody asks whether it is healthy'];
  if (Number(url[1]) !== PORT) return [`it does not listen at ${url[1]}`];
  return isOpenPath(url[2] as string) ? [] : [`${url[2]} is no page that a probe may see`];
}

/** As Compose fills in a variable that nobody has set. */
function withDefaults(text: string): string {
  return text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');
}
