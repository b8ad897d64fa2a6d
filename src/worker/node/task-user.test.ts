import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { connect } from '../../../src/index.ts';
import { runManyhands } from '../../../test/support/processes.ts';
import { ServedFarm } from '../../../test/support/served-farm.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };

describe('tasks of a worker that is root run as the user that it names', {
  skip: isRoot ? false : 'needs root',
}, () => {
  test('in JavaScript, and their results as files reach the server', async (t) => {
    const farm = await ServedFarm.start(t);
    await farm.join(1, { taskUser: NOBODY });
    await using client = await connect({ url: farm.server.url, token: farm.tokens.admin });
    const who = (bytes: number): [number, number, Uint8Array] => [
      process.getuid?.() ?? -1,
      process.getgid?.() ?? -1,
      new Uint8Array(bytes).fill(7),
    ];
    const [uid, gid, bytes] = await client.run(who, 3_000_000);
    assert.deepEqual([uid, gid, bytes.length], [NOBODY.uid, NOBODY.gid, 3_000_000]);
  });

  test('as commands, which cannot have the worker read for them what they may not read', async (t) => {
    const farm = await ServedFarm.start(t);
    await farm.join(1, { taskUser: NOBODY, allow: ['exec'] });
    const secret = '/etc/shadow';
    assert.ok(existsSync(secret));
    const command = `id -u; cat ${secret} 2>&1; rm -f ../stdout; ln -sf ${secret} ../stdout; echo made >own; cat own; true`;
    const { stdout, stderr } = await runManyhands(t, ['exec', '--url', farm.server.url, '--', command, ':::', 'once'], {
      env: { MANYHANDS_TOKEN: farm.tokens.admin },
    });
    assert.match(stdout, /^65534\n.*denied/, `${stdout}${stderr}`);
    assert.match(stdout, /made\n$/);
    assert.doesNotMatch(stdout, /root:/);
  });
});
