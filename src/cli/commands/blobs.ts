import type { Command } from 'commander';
import { type ServerOptions, withServer } from '../find-server.ts';

export interface TransferOptions extends ServerOptions {
  quiet?: true;
}

/** Files of any size, into the farm and out of it. */
export function addBlobs(program: Command): void {
  withServer(
    program
      .command('upload <file...>')
      .description('store files in the farm; prints the SHA-256 and the name of each, as sha256sum does'),
  )
    .option('--quiet', 'no progress')
    .action(async (files: string[], options: TransferOptions) => {
      const { upload } = await import('../transfer.ts');
      await upload(files, options);
    });
  withServer(
    program
      .command('download <sha256> [file]')
      .description('fetch a blob of the farm into a file (default: one of its name, here)'),
  )
    .option('--quiet', 'no progress')
    .action(async (sha256: string, file: string | undefined, options: TransferOptions) => {
      const { download } = await import('../transfer.ts');
      await download(sha256, file, options);
    });
}
