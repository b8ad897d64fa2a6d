// Writes the archive that gives an image its configuration: `node os/build/configure.ts SERVER[,SERVER] TOKEN_FILE [exec] > mh.cpio`.
// A boot loader takes it after the image's own (`cat initrd mh.cpio` for one that takes a single file).
import { readFileSync } from 'node:fs';
import { type BootAllowed, BootConfigError } from '../../src/server/boot/boot-config.ts';
import { writeConfigArchive } from '../../src/server/boot/config-archive.ts';

const [servers, tokenFile, ...allow] = process.argv.slice(2);
if (servers === undefined || tokenFile === undefined || process.stdout.isTTY) {
  fail('usage: node os/build/configure.ts SERVER[,SERVER] TOKEN_FILE [exec] > mh.cpio');
}
try {
  const [token = ''] = readFileSync(tokenFile, 'utf8').split('\n');
  process.stdout.write(
    writeConfigArchive({ server: servers.split(','), token: token.trim(), allow: allow as BootAllowed[] }),
  );
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  if (!(error instanceof BootConfigError) && code === undefined) throw error;
  fail(`configure: ${message}`);
}

function fail(words: string): never {
  console.error(words);
  process.exit(2);
}
