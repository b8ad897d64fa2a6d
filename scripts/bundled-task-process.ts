// The program of task processes as one file, for those who work on the repository: see src/worker/node/task-program.ts.
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { MADE, SOURCES } from '../src/worker/node/task-program.ts';

/** A source finds what lies beside it by its own address, which it keeps. */
const addresses: Plugin = {
  name: 'addresses',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      const address = JSON.stringify(pathToFileURL(file).href);
      return { loader: 'ts', contents: readFileSync(file, 'utf8').replaceAll('import.meta.url', address) };
    });
  },
};

/** Stack traces name the sources, by the map that lies beside it. */
export async function bundleTaskProcess(root: string): Promise<void> {
  // Under a name of its own until it is whole: others may be reading it, or writing it, too.
  const draft = path.join(root, MADE.replace('task-process', `task-process-${process.pid}`));
  const { metafile } = await build({
    entryPoints: ['src/worker/entry/task-process.ts'],
    absWorkingDir: root,
    outfile: draft,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: 'inline',
    sourcesContent: false,
    metafile: true,
    plugins: [addresses],
    logLevel: 'error',
  });
  const changed = Object.keys(metafile.inputs).map((file) => [file, statSync(path.join(root, file)).mtimeMs]);
  renameSync(draft, path.join(root, MADE));
  writeFileSync(`${draft}.json`, JSON.stringify(Object.fromEntries(changed)));
  renameSync(`${draft}.json`, path.join(root, SOURCES));
}
