import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { sha256Of } from '../../os/build/lock.ts';
import { bootNeeds } from '../support/boot-image.ts';
import { type Cleanup, cleanUp } from '../support/cleanup.ts';
import { repository, temporaryDirectory } from '../support/directories.ts';
import { type Exit, start } from '../support/processes.ts';

const APT = '/usr/lib/apt';
const BYTES = Buffer.from('a package');

/** Answers as Debian's archive does, of one package. */
async function archive(t: Cleanup): Promise<string> {
  const server = http.createServer(({ url }, response) => {
    if (url === '/mr/binary/some/1%3A2%2Bb3/binfiles') {
      const result = ['arm64', 'amd64'].map((architecture) => ({ architecture, hash: `of-${architecture}` }));
      response.end(JSON.stringify({ binary: 'some', binary_version: '1:2+b3', result }));
    } else if (url === '/file/of-amd64') response.end(BYTES);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp(t, () => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("a package that mirrors have no more comes from Debian's archive", bootNeeds(`${APT}/apt-helper`), () => {
  const input = { name: 'some', version: '1:2+b3', sha256: sha256Of(BYTES) };

  async function fetched(t: Cleanup, asked: object, debian = 'amd64'): Promise<{ folder: string; exit: Exit }> {
    const folder = temporaryDirectory(t, 'packages');
    const source = pathToFileURL(path.join(repository, 'os/build/snapshot.ts')).href;
    const code = `import { fetchOld } from '${source}';
      fetchOld(${JSON.stringify(asked)}, '${debian}', ${JSON.stringify(folder)}, process.env);`;
    const env = { SNAPSHOT: await archive(t), PATH: `${process.env['PATH']}:${APT}`, LC_ALL: 'C' };
    const running = start(t, [process.execPath, '--input-type=module-typescript', '--eval', code], { env });
    return { folder, exit: await running.exit(30_000) };
  }

  test('under the name that apt would give it', async (t) => {
    const { folder, exit } = await fetched(t, input);
    assert.equal(exit.code, 0, exit.stderr);
    assert.deepEqual(readdirSync(folder), ['some_1%3a2+b3_amd64.deb']);
    assert.deepEqual(readFileSync(path.join(folder, 'some_1%3a2+b3_amd64.deb')), BYTES);
  });

  const refused: Record<string, [object, string, RegExp]> = {
    'of other bytes than inputs.lock says': [{ ...input, sha256: '0'.repeat(64) }, 'amd64', /Hash Sum mismatch/],
    'for another machine': [input, 'riscv64', /has no some 1:2\+b3 for riscv64/],
    'in a version that there never was': [{ ...input, version: '9' }, 'amd64', /404/],
  };
  for (const [what, [asked, debian, says]] of Object.entries(refused)) {
    test(`but not ${what}`, async (t) => {
      const { folder, exit } = await fetched(t, asked, debian);
      assert.match(exit.stderr, says);
      assert.deepEqual(readdirSync(folder), []);
    });
  }
});
