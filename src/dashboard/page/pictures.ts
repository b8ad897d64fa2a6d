import { pictureType } from '../../model/picture-type.ts';
import { PAGE_PICTURE_PIXELS } from '../../model/result-limits.ts';
import { pictureSize } from '../picture-size.ts';
import { rgbaOf, type Tile } from '../tile.ts';

/** Unpacks a picture, no larger than `side` pixels if one is given. Throws with why it cannot be shown. */
export async function unpack(bytes: Uint8Array, side = Number.POSITIVE_INFINITY): Promise<ImageBitmap> {
  const type = pictureType(bytes);
  const size = pictureSize(bytes);
  if (type === undefined || size === undefined) throw new Error('it is no picture that browsers know');
  const { width, height } = size;
  if (width * height > PAGE_PICTURE_PIXELS) throw new Error(`${width} × ${height} pixels are too many to be shown`);
  const blob = new Blob([Uint8Array.from(bytes)], { type: type.mime });
  const scale = Math.min(1, side / Math.max(width, height));
  try {
    if (scale === 1) return await createImageBitmap(blob);
    const [resizeWidth, resizeHeight] = [width, height].map((each) => Math.max(1, Math.round(each * scale)));
    return await createImageBitmap(blob, {
      ...(resizeWidth === undefined ? {} : { resizeWidth }),
      ...(resizeHeight === undefined ? {} : { resizeHeight }),
      resizeQuality: 'medium',
    });
  } catch {
    throw new Error(`it begins as a ${type.name} does, but is none`);
  }
}

/** How large a picture of tiles is drawn: as it is, or small enough for a canvas. */
export function drawnSize({ width, height }: Tile['picture']): { width: number; height: number; scale: number } {
  const scale = Math.min(1, Math.sqrt(PAGE_PICTURE_PIXELS / (width * height)));
  return { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)), scale };
}

/** Draws a tile at its place. Throws with why it cannot be drawn. */
export async function drawTile(canvas: HTMLCanvasElement, tile: Tile): Promise<void> {
  const { x, y, width, height, picture, content } = tile;
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('this browser draws no pictures');
  const { scale } = drawnSize(picture);
  if (content.form !== 'image') {
    const pixels = new ImageData(rgbaOf(content.form, content.bytes), width, height);
    if (scale === 1) {
      context.putImageData(pixels, x, y);
      return;
    }
    const bitmap = await createImageBitmap(pixels);
    context.drawImage(bitmap, x * scale, y * scale, width * scale, height * scale);
    bitmap.close();
    return;
  }
  const bitmap = await unpack(content.bytes);
  context.drawImage(bitmap, x * scale, y * scale, width * scale, height * scale);
  bitmap.close();
}
