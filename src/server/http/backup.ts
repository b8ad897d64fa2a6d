import type { Core } from '../core.ts';
import { Problem } from '../problem.ts';
import { ATTACHMENT } from './blobs.ts';
import { writeAll } from './body.ts';
import { ADMINS, type Route, route } from './route.ts';

const TAR = 'application/x-tar';

/** It holds tokens, so that it is for administrators. */
export function backupRoutes(core: Core, dataDir: string): Route[] {
  let isUnderWay = false;
  return [
    route({
      method: 'GET',
      path: '/v1/backup',
      access: ADMINS,
      summary:
        'Everything durable as of one moment, as a tar archive, made while jobs run. A server starts on a directory in which it was unpacked.',
      answers: {
        200: { description: 'The archive.', type: TAR },
        409: { description: 'Another backup is under way.' },
        507: { description: 'There is no room for the copy of the database that is sent.' },
      },
      handle: async ({ response }) => {
        if (isUnderWay) throw new Problem('conflict', 'another backup is under way: try again when it has ended');
        isUnderWay = true;
        // Few need it, and it would load the database into this thread.
        const { archive } = await import('../backup.ts');
        const parts = archive(core, dataDir);
        try {
          // Made before the answer begins, so that a full disk is told as that.
          const first = await parts.next();
          response.writeHead(200, { ...ATTACHMENT, 'content-type': TAR, 'cache-control': 'no-store' });
          if (await writeAll(response, beginningWith(first.value as Uint8Array, parts))) response.end();
        } finally {
          await parts.return(undefined);
          isUnderWay = false;
        }
        return undefined;
      },
    }),
  ];
}

async function* beginningWith(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}
