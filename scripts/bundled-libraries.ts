// Libraries of many small files, each as one file in the package: reading seven hundred of them takes a command longer
// than anything else it does.
import path from 'node:path';
import { build } from 'esbuild';

/** Pure ES modules, so that a bundle of them is the same program. */
const LIBRARIES = ['typebox', 'typebox/compile', 'typebox/value', '@bjorn3/browser_wasi_shim'];

/** Writes them below `dist`, with what they share in files of its own. Gives what stands for each name in an import. */
export async function bundleLibraries(root: string, dist: string): Promise<ReadonlyMap<string, string>> {
  const folder = path.join(dist, 'libraries');
  const nameOf = (library: string): string => library.replace('@', '').replace('/', '-');
  await build({
    entryPoints: Object.fromEntries(LIBRARIES.map((library) => [nameOf(library), library])),
    absWorkingDir: root,
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    chunkNames: 'shared-[hash]',
    legalComments: 'eof',
    logLevel: 'error',
  });
  return new Map(LIBRARIES.map((library) => [library, path.join(folder, `${nameOf(library)}.js`)]));
}
