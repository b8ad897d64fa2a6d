import { fileURLToPath } from 'node:url';

/**
 * The script of a page with all it imports, in one file for browsers. In the repository a server makes it when a page is
 * first asked for; the published package holds it ready-made.
 */
export async function bundleForBrowsers(entry: URL): Promise<string> {
  const { build } = await import('esbuild');
  const result = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    // What phones of the last three years understand.
    target: 'es2022',
    minify: true,
    charset: 'utf8',
    loader: { '.py': 'text' },
    legalComments: 'none',
    logLevel: 'silent',
  });
  return result.outputFiles[0]?.text ?? '';
}
