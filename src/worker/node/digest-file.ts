import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { BlobRef } from '../../model/envelope.ts';
import { BLOB_CHUNK_BYTES } from '../../model/limits.ts';

/** The name of a file as a blob. One buffer is filled again and again: what is read into new ones lies about for long. */
export async function digestFile(path: string): Promise<BlobRef> {
  const sum = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(BLOB_CHUNK_BYTES);
  const file = await open(path, 'r');
  try {
    for (let size = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, size);
      if (bytesRead === 0) return { sha256: sum.digest('hex'), size };
      sum.update(buffer.subarray(0, bytesRead));
      size += bytesRead;
    }
  } finally {
    await file.close();
  }
}
