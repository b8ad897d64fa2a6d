/** A kind of picture that every browser shows. */
export interface PictureType {
  readonly name: 'PNG' | 'JPEG' | 'WebP' | 'GIF';
  readonly mime: string;
  /** How its files end. */
  readonly ending: string;
}

const PNG: PictureType = { name: 'PNG', mime: 'image/png', ending: 'png' };
const JPEG: PictureType = { name: 'JPEG', mime: 'image/jpeg', ending: 'jpg' };
const WEBP: PictureType = { name: 'WebP', mime: 'image/webp', ending: 'webp' };
const GIF: PictureType = { name: 'GIF', mime: 'image/gif', ending: 'gif' };

/** Bytes at the beginning that tell what all of them are. */
export const PICTURE_HEAD = 12;

/** What picture these bytes are, by how they begin; undefined: none that we know. */
export function pictureType(bytes: Uint8Array): PictureType | undefined {
  const begins = (at: number, ...expected: number[]) => expected.every((byte, i) => bytes[at + i] === byte);
  if (begins(0, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return PNG;
  if (begins(0, 0xff, 0xd8, 0xff)) return JPEG;
  // RIFF, four bytes of length, WEBP.
  if (begins(0, 0x52, 0x49, 0x46, 0x46) && begins(8, 0x57, 0x45, 0x42, 0x50)) return WEBP;
  if (begins(0, 0x47, 0x49, 0x46, 0x38)) return GIF;
  return undefined;
}
