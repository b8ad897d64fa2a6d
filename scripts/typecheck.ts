// Checks every realm with its own tsconfig. A realm that has no files yet is said to be empty, not left out.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
const noInputs = 'TS18003';

let failed = 0;
for (const realm of ['pure', 'node', 'browser', 'test']) {
  const started = performance.now();
  const result = spawnSync(process.execPath, [tsc, '-p', `tsconfig.${realm}.json`, '--pretty', 'false'], {
    cwd: root,
    encoding: 'utf8',
  });
  const output = `${result.stdout}${result.stderr}`.trim();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (result.status === 0) {
    console.log(`${realm}: ok (${seconds} s)`);
  } else if (output.includes(noInputs)) {
    console.log(`${realm}: no files yet`);
  } else {
    failed++;
    console.log(`${realm}: FAILED (${seconds} s)\n${output || result.error}`);
  }
}
process.exit(failed === 0 ? 0 : 1);
