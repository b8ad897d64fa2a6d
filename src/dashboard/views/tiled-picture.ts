import { h, type JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { count } from '../figures.ts';
import { saying } from '../page/loading.ts';
import { drawnSize, drawTile } from '../page/pictures.ts';
import type { ResultSample } from '../result-sample.ts';
import type { Tile } from '../tile.ts';

/** The picture that the tasks of a job make together, as far as it is. */
export function TiledPicture(props: {
  sample: ResultSample;
  picture: Tile['picture'];
  total: number;
  job: number;
}): JSX.Element {
  const { sample, picture, total, job } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawing = useRef(Promise.resolve());
  const [fault, setFault] = useState('');
  const { width, height } = drawnSize(picture);
  const { tileCount } = sample;
  useEffect(() => {
    // One after the other, so that a newer tile of the same place stays on top.
    const tiles = sample.tiles.splice(0);
    const draw = async () => {
      for (const tile of tiles) {
        try {
          if (canvas.current !== null) await drawTile(canvas.current, tile);
        } catch (error) {
          setFault(`The tile at ${tile.x}, ${tile.y} cannot be drawn: ${saying(error)}.`);
        }
      }
    };
    drawing.current = drawing.current.then(draw);
  }, [sample, tileCount]);
  const size = `${count(picture.width)} × ${count(picture.height)}`;
  const words = `${count(tileCount)} of ${count(total)} tiles of a picture of ${size} pixels`;
  return h(
    'figure',
    { class: 'tiles' },
    h('canvas', { ref: canvas, class: 'picture', role: 'img', 'aria-label': words, width, height }),
    h(
      'figcaption',
      null,
      h('span', null, words),
      h(
        'button',
        { type: 'button', class: 'quiet', onClick: () => canvas.current && save(canvas.current, `job-${job}.png`) },
        'Save the picture',
      ),
    ),
    h('p', { class: 'fault', role: 'alert' }, fault),
  );
}

function save(canvas: HTMLCanvasElement, name: string): void {
  canvas.toBlob((blob) => {
    if (blob === null) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  }, 'image/png');
}
