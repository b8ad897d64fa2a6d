// Compiles the C programs of the example and of the tests to WebAssembly: node scripts/compile-wasm.ts. It needs what
// Debian calls clang, lld, binaryen, wasi-libc and libclang-rt-14-dev-wasm32; who does not change the programs needs none of them,
// since what comes out is committed. Each module ends with the hash of its source, so that a test sees when it is stale.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, globSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');

/** A section that machines skip: its name, and the SHA-256 of the source. */
function sourceSection(source: string): Uint8Array {
  const hash = createHash('sha256').update(readFileSync(source)).digest();
  const name = Buffer.from('source');
  return Uint8Array.from([0, 1 + name.length + hash.length, name.length, ...name, ...hash]);
}

for (const file of globSync(['examples/wasm/*.c', 'test/wasm/*.c'], { cwd: root })) {
  const source = path.join(root, file);
  const module = source.replace(/\.c$/, '.wasm');
  const { status, stderr, error } = spawnSync(
    'clang',
    ['--target=wasm32-wasi', '-Oz', '-Wall', '-Wl,--strip-all', '-o', module, source],
    { encoding: 'utf8' },
  );
  if (status !== 0) {
    console.error(`compile-wasm: ${file} does not compile: ${stderr ?? error?.message}`);
    process.exit(1);
  }
  appendFileSync(module, sourceSection(source));
  chmodSync(module, 0o644);
  console.log(`${path.relative(root, module)}: ${(statSync(module).size / 1024).toFixed(1)} KiB`);
}
