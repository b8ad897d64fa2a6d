// Looks into the tarball before anybody installs it: nothing that should stay at home, nothing missing, and what
// publint knows about packages.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { makeTarball } from './tarball.ts';

/** MiB; a package that suddenly grows has swallowed something. */
const LARGEST = 5;

const directory = mkdtempSync(path.join(os.tmpdir(), 'manyhands-package-'));
try {
  const tarball = makeTarball(directory);
  const bytes = readFileSync(tarball);
  const files = spawnSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).stdout.trim().split('\n');
  spawnSync('tar', ['-xzf', tarball, '-C', directory]);
  const manifest = JSON.parse(readFileSync(path.join(directory, 'package/package.json'), 'utf8'));

  const faults: string[] = [];
  for (const name of files) {
    const file = name.replace(/^package\//, '');
    if (/(?<!\.d)\.ts$|\.test\.|\.type-test\.|\.sqlite|\.token$/.test(file))
      faults.push(`${file} should not be in the package`);
    if (!/^(dist\/.*|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/.test(file)) faults.push(`${file} is unexpected`);
  }
  for (const name of ['README.md', 'LICENSE', 'CHANGELOG.md']) {
    if (!files.includes(`package/${name}`)) faults.push(`${name} is missing`);
  }
  for (const field of ['optionalDependencies', 'devDependencies', 'scripts', 'allowScripts']) {
    if (field in manifest) faults.push(`package.json still has ${field}`);
  }
  const mebibytes = statSync(tarball).size / 2 ** 20;
  if (mebibytes > LARGEST) faults.push(`the tarball has ${mebibytes.toFixed(1)} MiB, more than ${LARGEST}`);
  const { messages } = await publint({
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) },
  });
  for (const message of messages) faults.push(formatMessage(message, manifest, { color: false }) ?? message.code);

  for (const fault of faults) console.error(`package: ${fault}`);
  console.log(`package: ${files.length} files, ${(mebibytes * 1024).toFixed(0)} KiB, ${faults.length} faults`);
  process.exitCode = faults.length > 0 ? 1 : 0;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
