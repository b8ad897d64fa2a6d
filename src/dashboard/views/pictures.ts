import { h, type JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { saying } from '../page/loading.ts';
import { unpack } from '../page/pictures.ts';

interface PictureProps {
  readonly bytes: Uint8Array;
  /** The longest side, in pixels. */
  readonly side: number;
  /** What it is, for those who do not see it. */
  readonly name: string;
}

/** A picture that a task returned. It is drawn, not loaded: nothing in it can be anything but pixels. */
export function Picture({ bytes, side, name }: PictureProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [fault, setFault] = useState('');
  useEffect(() => {
    let isGone = false;
    const draw = async () => {
      try {
        const bitmap = await unpack(bytes, side);
        if (!isGone && canvas.current !== null) put(canvas.current, bitmap);
        bitmap.close();
      } catch (error) {
        if (!isGone) setFault(`The picture cannot be shown: ${saying(error)}.`);
      }
    };
    void draw();
    return () => {
      isGone = true;
    };
  }, [bytes, side]);
  if (fault !== '') return h('span', { class: 'fault' }, fault);
  return h('canvas', { ref: canvas, class: 'picture', role: 'img', 'aria-label': name, width: 1, height: 1 });
}

function put(canvas: HTMLCanvasElement, bitmap: ImageBitmap): void {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
}
