import Type from 'typebox';
import { PYODIDE_SNAPSHOT } from '../../model/python.ts';
import { Count, Sha256 } from '../../protocol/shapes.ts';
import { Problem } from '../problem.ts';
import type { PyodideFiles } from '../pyodide.ts';
import { sendAsset } from './asset.ts';
import { type Route, route } from './route.ts';
import { sendFile } from './send-file.ts';

const WORKERS = ['admin', 'work'] as const;
const TYPES = {
  '.mjs': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
  '.zip': 'application/zip',
  '.json': 'application/json',
} as const;

const Manifest = Type.Object({
  version: Type.String(),
  files: Type.Record(Type.String(), Type.Object({ sha256: Sha256, size: Count })),
});

/** Python for workers that have none: see docs/decisions/0014-pyodide.md. */
export function pyodideRoutes(pyodide: PyodideFiles | undefined): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/pyodide',
      access: WORKERS,
      lends: true,
      summary: 'What the Pyodide of this server is made of, which runs Python where a worker has none.',
      answers: {
        200: { description: 'Its files.', schema: Manifest },
        404: { description: 'The package is not installed here.' },
      },
      handle: async () => ({ json: await found(pyodide).manifest() }),
    }),
    route({
      method: 'GET',
      path: `/v1/pyodide/${PYODIDE_SNAPSHOT}`,
      access: WORKERS,
      lends: true,
      summary:
        'The memory of Pyodide after its start, in gzip: who has it starts sooner. Made when it is first asked for.',
      answers: { 200: { description: 'Its bytes.' }, 404: { description: 'None can be made here.' } },
      handle: async ({ request, response }) => {
        const file = await found(pyodide).snapshot.file();
        if (file === undefined) throw new Problem('unknown', 'this server cannot make a snapshot of its Pyodide');
        const headers = { 'cache-control': 'private, no-cache', etag: `"${file.sha256}"`, vary: 'origin' };
        if (request.headers['if-none-match'] === headers.etag) return { status: 304, headers };
        // Compressed as it is: it is unpacked where it is used, and checked by that.
        return sendFile(file.path, request, response, { headers });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/pyodide/:sha256',
      access: WORKERS,
      lends: true,
      summary: 'A file of Pyodide.',
      answers: { 200: { description: 'Its bytes.' }, 404: { description: 'There is no such file.' } },
      handle: async ({ params: { sha256 }, request, response }) => {
        const files = found(pyodide);
        const name = await files.named(sha256);
        if (name === undefined) throw new Problem('unknown', `the Pyodide of this server has no file ${sha256}`);
        const isPacked = /\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '');
        const body = isPacked ? await files.packed(name) : await files.plain(name);
        const type = Object.entries(TYPES).find(([ending]) => name.endsWith(ending))?.[1] ?? '';
        return sendAsset({ type, plain: body, packed: body, tag: sha256 }, request, response, {
          'cache-control': 'private, max-age=31536000, immutable',
          vary: 'accept-encoding, origin',
        });
      },
    }),
  ];
}

function found(pyodide: PyodideFiles | undefined): PyodideFiles {
  if (pyodide !== undefined) return pyodide;
  throw new Problem('unknown', 'there is no Pyodide beside this server: npm install pyodide, and start it again');
}
