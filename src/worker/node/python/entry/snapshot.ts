import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { snapshotOf } from '../../../tasks/python/pyodide.ts';

/** Makes the snapshot of the Pyodide in a directory, its argument, and writes it to stdout. In a process of its own: it takes seconds. */
const [, , directory = '.'] = process.argv;
// The interpreter keeps this as the name of its program, and everybody who begins with the snapshot would see it.
process.argv.length = 1;

/** The last tenth of the size would take as long as Python itself. */
const GZIP_LEVEL = 4;

const loader = (await import(pathToFileURL(`${directory}/pyodide.mjs`).href)) as object;
const packed = gzipSync(await snapshotOf(loader, { indexURL: directory }), { level: GZIP_LEVEL });
if (!process.stdout.write(packed)) await once(process.stdout, 'drain');
// Python would wait for ever.
process.exit(0);
