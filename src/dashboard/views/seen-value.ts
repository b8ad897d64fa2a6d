import { h, type JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { revive } from '../../client/json-form.ts';
import { pictureType } from '../../model/picture-type.ts';
import { PAGE_LARGE_VALUE_BYTES } from '../../model/result-limits.ts';
import type { Api } from '../page/api.ts';
import { saying, useLoaded } from '../page/loading.ts';
import { drawTile } from '../page/pictures.ts';
import { type Tile, tileIn } from '../tile.ts';
import { Picture } from './pictures.ts';

/** Pixels of the longest side of a picture by itself. */
const LARGE = 640;

/** A value as it came: in the answer, or in a blob that can be asked for. */
export type Given = { readonly value: unknown } | { readonly size: number; readonly type: 'json' | 'bytes' };

/** A value that is a picture, or a tile of one, as people see it; nothing for other values. */
export function SeenValue({ given, path, api }: { given: Given; path: string; api: Api }): JSX.Element | null {
  const isFar = !('value' in given) && given.type === 'bytes' && given.size <= PAGE_LARGE_VALUE_BYTES;
  const { value: fetched } = useLoaded(isFar ? `bytes of ${path}` : '', 0, async (signal) => {
    const response = await api.ask(path, { signal });
    return new Uint8Array(await response.arrayBuffer());
  });
  const json = 'value' in given ? given.value : undefined;
  const text = JSON.stringify(json);
  // The answer is read again and again, and is another object each time.
  const near = useMemo(() => valueIn(json), [text]);
  const value = fetched ?? near;
  if (value instanceof Uint8Array) {
    const type = pictureType(value);
    return type === undefined ? null : h(Picture, { bytes: value, side: LARGE, name: `A ${type.name} picture` });
  }
  const tile = tileIn(value);
  return tile === undefined ? null : h(TileAlone, { tile });
}

function valueIn(json: unknown): unknown {
  try {
    return revive(json);
  } catch {
    return undefined;
  }
}

function TileAlone({ tile }: { tile: Tile }): JSX.Element {
  const { x, y, width, height } = tile;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [fault, setFault] = useState('');
  useEffect(() => {
    if (canvas.current === null) return;
    drawTile(canvas.current, { ...tile, x: 0, y: 0, picture: { width, height } }).catch((error: unknown) =>
      setFault(`The tile cannot be drawn: ${saying(error)}.`),
    );
  }, [tile]);
  const name = `A tile of ${width} × ${height} pixels at ${x}, ${y}`;
  if (fault !== '') return h('p', { class: 'fault' }, fault);
  return h('canvas', { ref: canvas, class: 'picture', role: 'img', 'aria-label': name, width, height });
}
