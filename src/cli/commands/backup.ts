import type { Command } from 'commander';
import { type ServerOptions, withServer } from '../find-server.ts';

export function addBackup(program: Command): void {
  withServer(
    program
      .command('backup <file>')
      .description('save everything that the server keeps into one file, while it works; - for standard output'),
  ).action(async (file: string, options: ServerOptions) => {
    const { backup } = await import('../backup.ts');
    await backup(file, options);
  });
}
