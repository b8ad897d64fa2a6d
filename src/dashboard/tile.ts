import { PAGE_PICTURE_SIDE } from '../model/result-limits.ts';

/** Bytes a pixel, for each name that pixels may have. */
const PIXELS = { rgb: 3, rgba: 4, gray: 1 } as const;
type PixelForm = keyof typeof PIXELS;

/** A part of a picture that many tasks make together, by the convention of docs/results.md. All in pixels. */
export interface Tile {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly picture: { readonly width: number; readonly height: number };
  readonly content: { readonly form: PixelForm | 'image'; readonly bytes: Uint8Array };
}

/** A result that has the shape of a tile; undefined: it is something else. */
export function tileIn(value: unknown): Tile | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { x, y, width, height, picture } = value as Record<string, unknown>;
  if (!isCount(x) || !isCount(y) || !isSide(width) || !isSide(height)) return undefined;
  const whole = sizeIn(picture);
  if (whole === undefined || x + width > whole.width || y + height > whole.height) return undefined;
  const content = contentIn(value as Record<string, unknown>, width * height);
  return content === undefined ? undefined : { x, y, width, height, picture: whole, content };
}

function sizeIn(picture: unknown): Tile['picture'] | undefined {
  if (typeof picture !== 'object' || picture === null) return undefined;
  const { width, height } = picture as Record<string, unknown>;
  return isSide(width) && isSide(height) ? { width, height } : undefined;
}

function contentIn(value: Record<string, unknown>, pixels: number): Tile['content'] | undefined {
  for (const form of Object.keys(PIXELS) as PixelForm[]) {
    const bytes = bytesIn(value[form]);
    if (bytes?.length === pixels * PIXELS[form]) return { form, bytes };
  }
  const image = bytesIn(value['image']);
  return image === undefined ? undefined : { form: 'image', bytes: image };
}

/** The kinds of array that people keep pixels in. */
function bytesIn(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  return value instanceof Uint8ClampedArray ? new Uint8Array(value.buffer, value.byteOffset, value.length) : undefined;
}

/** Four bytes a pixel, as a canvas takes them. */
export function rgbaOf(form: PixelForm, bytes: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const step = PIXELS[form];
  const pixels = bytes.length / step;
  const rgba = new Uint8ClampedArray(pixels * 4);
  for (let i = 0; i < pixels; i++) {
    for (let channel = 0; channel < 3; channel++) {
      rgba[4 * i + channel] = bytes[step * i + (form === 'gray' ? 0 : channel)] as number;
    }
    rgba[4 * i + 3] = form === 'rgba' ? (bytes[step * i + 3] as number) : 255;
  }
  return rgba;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

function isSide(value: unknown): value is number {
  return isCount(value) && value > 0 && value <= PAGE_PICTURE_SIDE;
}
