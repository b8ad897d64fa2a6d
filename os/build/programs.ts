import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import type { CpioEntry } from '../../src/server/boot/cpio.ts';
import { repository } from './places.ts';

/** Where the image has our own programs. Their sources are thought to lie below it as they lie in the repository. */
const HOME = 'opt/manyhands';

const PROGRAMS = ['os/appliance/entry/main.ts', 'src/worker/entry/task-process.ts'];

/** What programs load by path, and is not JavaScript. */
const LOADED = ['src/worker/tasks/python/entry/*.py'];

/**
 * Each program as one file, where its source would be: what a source finds by its own address is at the same place here.
 * Only the names of files that it starts end otherwise.
 */
const addresses: Plugin = {
  name: 'addresses',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      const source = path.relative(repository, file).split(path.sep).join('/');
      const place = `/${HOME}/${source.replace(/\.ts$/, '.js')}`;
      const contents = readFileSync(file, 'utf8')
        .replaceAll(/(new URL\('[^']+)\.ts('\s*,\s*import\.meta\.url)/g, '$1.js$2')
        .replaceAll('import.meta.url', JSON.stringify(`file://${place}`))
        .replaceAll('import.meta.filename', JSON.stringify(place));
      return { loader: 'ts', contents };
    });
  },
};

/** Libraries that are no ES modules ask for parts of Node by `require`. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** The worker of `manyhands join` with what makes it the program of a machine, and the program of task processes. */
export async function programEntries(version: string): Promise<CpioEntry[]> {
  const { outputFiles } = await build({
    entryPoints: PROGRAMS,
    absWorkingDir: repository,
    outbase: '.',
    outdir: HOME,
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    // An emulated machine takes a second for what is only the length of names.
    minify: true,
    legalComments: 'inline',
    banner: { js: REQUIRE },
    external: ['bufferutil', 'utf-8-validate'],
    plugins: [addresses],
    logLevel: 'error',
  });
  const program = ({ path: file, contents }: { path: string; contents: Uint8Array }): CpioEntry => ({
    name: path.relative(repository, file).split(path.sep).join('/'),
    kind: 'file',
    bytes: contents,
  });
  const manifest = { name: 'manyhands', version, type: 'module' };
  return [
    ...outputFiles.map(program),
    ...globSync(LOADED, { cwd: repository }).map((file) =>
      program({ path: path.join(repository, HOME, file), contents: readFileSync(path.join(repository, file)) }),
    ),
    { name: `${HOME}/package.json`, kind: 'file', bytes: Buffer.from(JSON.stringify(manifest)) },
  ];
}
