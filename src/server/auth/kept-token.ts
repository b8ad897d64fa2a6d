import { chmod, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import type { Role } from '../../model/records.ts';
import type { Tokens } from './tokens.ts';

/**
 * A token that the server keeps as the first line of a file only its owner can read: the admin's, for commands on the
 * same machine, and the one in the join link, which shall survive a restart. A file that is gone, or that holds a token
 * which is no longer good, is made anew, and the token it replaces is revoked.
 */
export async function keptToken(
  tokens: Tokens,
  directory: string,
  kept: { file: string; role: Role; name: string },
): Promise<string> {
  const file = path.join(directory, kept.file);
  const known = await firstLine(file);
  if (known !== undefined && tokens.find(known)?.role === kept.role) {
    await chmod(file, 0o600);
    return known;
  }
  for (const old of tokens.list()) {
    if (old.name === kept.name && tokens.isLive(old)) await tokens.revoke(old.id);
  }
  const { text } = await tokens.create({ role: kept.role, name: kept.name });
  await writePrivately(file, `${text}\n`);
  return text;
}

async function firstLine(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).split('\n', 1)[0]?.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole or not at all, and never readable by others, not even for a moment. */
export async function writePrivately(file: string, text: string): Promise<void> {
  const draft = `${file}.new`;
  const handle = await open(draft, 'w', 0o600);
  try {
    await handle.chmod(0o600);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
}
