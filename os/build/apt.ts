import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BuildFailure } from './failure.ts';
import { checkInput, type Input } from './lock.ts';
import { type Arch, cache, names } from './places.ts';
import { fetchOld } from './snapshot.ts';
import { run } from './tools.ts';

/**
 * The machine's apt with lists and settings of its own for one architecture: nothing is installed, nobody has to be root,
 * and what the system thinks of its packages is neither asked nor changed. Mirrors and keys are the machine's.
 */
export class Apt {
  readonly #debian: string;
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  #updated = false;

  constructor(arch: Arch) {
    this.#debian = names[arch].debian;
    this.#folder = path.join(cache, arch);
    const own = path.join(this.#folder, 'apt');
    for (const folder of ['state/lists/partial', 'cache/archives/partial'])
      mkdirSync(path.join(own, folder), { recursive: true });
    const status = path.join(own, 'status');
    writeFileSync(status, '');
    const settings = {
      'APT::Architecture': names[arch].debian,
      'APT::Architectures': names[arch].debian,
      'APT::Sandbox::User': 'root',
      'Acquire::Languages': 'none',
      'Acquire::Retries': '3',
      'Dir::State': path.join(own, 'state'),
      'Dir::State::status': status,
      'Dir::Cache': path.join(own, 'cache'),
    };
    const config = path.join(own, 'apt.conf');
    const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
    writeFileSync(config, `#clear APT::Architectures;\n${lines.join('')}`);
    this.#env = { ...process.env, APT_CONFIG: config, LC_ALL: 'C' };
  }

  /** What is known of the newest version of a package. */
  show(name: string): ReadonlyMap<string, string> {
    this.#update();
    const text = run('apt-cache', ['show', '--no-all-versions', name], { env: this.#env });
    return new Map([...text.matchAll(/^([\w-]+): (.*)$/gm)].map(([, field = '', value = '']) => [field, value]));
  }

  newest(name: string): Input {
    const fields = this.show(name);
    return { name, version: fields.get('Version') ?? '', sha256: fields.get('SHA256') ?? '' };
  }

  /** The folder in which a pinned package lies unpacked. It is downloaded once. */
  unpacked(input: Input): string {
    const { name, version } = input;
    const folder = path.join(this.#folder, `${name}_${version.replaceAll(':', '%3a')}`);
    if (existsSync(folder)) return folder;
    const archive = this.#download(input);
    const draft = `${folder}.part`;
    rmSync(draft, { recursive: true, force: true });
    run('dpkg-deb', ['-x', archive, draft]);
    renameSync(draft, folder);
    return folder;
  }

  #download(input: Input): string {
    const { name, version } = input;
    const folder = path.join(this.#folder, 'packages');
    mkdirSync(folder, { recursive: true });
    const find = (): string | undefined =>
      readdirSync(folder).find((file) => file.startsWith(`${name}_${version.replaceAll(':', '%3a')}_`));
    if (find() === undefined) {
      this.#update();
      try {
        run('apt-get', ['download', '-qq', `${name}=${version}`], { cwd: folder, env: this.#env });
      } catch (error) {
        if (!(error instanceof BuildFailure)) throw error;
        this.#downloadOld(input, folder, error);
      }
    }
    const file = path.join(folder, find() ?? '');
    checkInput(input, file);
    return file;
  }

  #downloadOld(input: Input, folder: string, why: BuildFailure): void {
    const { name, version } = input;
    console.log(`os: the mirror has ${name} ${version} no more; asking Debian's archive of old packages`);
    try {
      fetchOld(input, this.#debian, folder, this.#env);
    } catch (error) {
      if (!(error instanceof BuildFailure)) throw error;
      throw new GoneError(name, version, `${why.message}; ${error.message}`);
    }
  }

  #update(): void {
    if (this.#updated) return;
    this.#updated = true;
    run('apt-get', ['update', '-qq'], { env: this.#env });
  }
}

/** Debian's mirrors keep the newest version of a package only. */
export class GoneError extends BuildFailure {
  constructor(name: string, version: string, words: string) {
    super(
      `${name} ${version}, which inputs.lock names, is neither on this machine's mirror of Debian nor to be had from Debian's archive. "make -C os update-inputs" pins what is there now; try that image, and commit inputs.lock. (${words})`,
    );
  }
}
