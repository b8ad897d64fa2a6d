import { pictureType } from '../model/picture-type.ts';

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/**
 * How large a picture says it is, in pixels; undefined: it does not say. Looked at before it is unpacked, since a few
 * bytes may stand for gigabytes.
 */
export function pictureSize(bytes: Uint8Array): PictureSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    switch (pictureType(bytes)?.name) {
      case 'PNG':
        return { width: view.getUint32(16), height: view.getUint32(20) };
      case 'GIF':
        return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
      case 'WebP':
        return webpSize(view);
      case 'JPEG':
        return jpegSize(view);
      default:
        return undefined;
    }
  } catch (error) {
    // It ends before it says so.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Its first chunk is one of three kinds. */
function webpSize(view: DataView): PictureSize | undefined {
  switch (view.getUint32(12)) {
    case 0x56_50_38_20: // "VP8 "
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
    case 0x56_50_38_4c: {
      // "VP8L": twice 14 bits, less one
      const bits = view.getUint32(21, true);
      return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
    }
    case 0x56_50_38_58: {
      // "VP8X": twice 24 bits, less one
      const three = (at: number) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16) + 1;
      return { width: three(24), height: three(27) };
    }
    default:
      return undefined;
  }
}

/** In the first frame header (0xC0 to 0xCF, three of which are something else), which stands behind other segments. */
function jpegSize(view: DataView): PictureSize | undefined {
  for (let at = 2; ; at += 2 + view.getUint16(at + 2)) {
    // Any number of 0xFF may stand before a marker.
    while (view.getUint8(at + 1) === 0xff) at++;
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    if (marker < 0xc0 || marker > 0xcf || [0xc4, 0xc8, 0xcc].includes(marker)) continue;
    return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
  }
}
