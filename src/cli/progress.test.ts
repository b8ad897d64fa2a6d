import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { drawBar, ProgressBar, Rate } from './progress.ts';

const standing = { total: 1_000_000, isOpen: false, done: 449_997, failed: 3, running: 8 };

describe('the progress bar', () => {
  it('says share, counts, rate, what is left and what failed', () => {
    const bar = drawBar(standing, 52_345, 120, false);
    assert.equal(bar, '███████████░░░░░░░░░░░░░  45%  450,000/1,000,000  52,345/s  ETA 11s  8 with workers  3 failed');
    assert.equal(drawBar(standing, 52_345, 20, false), ' 45%  450,000/1,000,');
    assert.ok(drawBar(standing, 52_345, 120, true).startsWith('\x1b[32m█'));
  });

  it('promises no end while inputs may still come, and knows jobs without tasks', () => {
    assert.match(
      drawBar({ ...standing, isOpen: true }, 10, 120, false),
      /450,000\/1,000,000\+ {2}10\/s {2}8 with workers/,
    );
    assert.match(drawBar({ total: 0, isOpen: true, done: 0, failed: 0 }, undefined, 120, false), / 0% {2}0\/0\+$/);
  });

  it('is drawn on a terminal only, not when quiet, without colours when told', () => {
    const written: string[] = [];
    const screen = (isTTY: boolean) => ({ isTTY, columns: 100, write: (text: string) => written.push(text) });
    const shows = (isTTY: boolean, options: ConstructorParameters<typeof ProgressBar>[1]) => {
      written.length = 0;
      const bar = new ProgressBar(screen(isTTY), options);
      bar.update(standing);
      bar.end();
      return written.join('');
    };
    assert.equal(shows(false, { env: {} }), '');
    assert.equal(shows(true, { env: {}, quiet: true }), '');
    assert.ok(shows(true, { env: {} }).includes('\x1b[32m█'));
    const plain = shows(true, { env: { NO_COLOR: '1' } });
    assert.match(plain, /450,000/);
    assert.ok(!plain.includes('\x1b[32m'));
    assert.ok(plain.endsWith('\r\x1b[2K'), 'the line is empty at the end');
  });
});

it('the bar steps aside for as long as something is written, comes back, and does not when it is full', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const drawn: string[] = [];
  const bar = new ProgressBar({ isTTY: true, columns: 80, write: (text) => drawn.push(text) }, { env: {} });
  const drawnIn = (work: () => void): number => {
    const before = drawn.length;
    work();
    return drawn.length - before;
  };
  const tick = () => t.mock.timers.tick(300);
  bar.update({ total: 4, isOpen: false, done: 1, failed: 0 });
  assert.equal(drawnIn(tick), 3);
  const { promise, resolve } = Promise.withResolvers<void>();
  const written = bar.aside(() => promise);
  assert.equal(drawnIn(tick), 0, 'it would stand in the same line');
  resolve();
  return written.then(() => {
    assert.equal(drawnIn(tick), 3);
    bar.update({ total: 4, isOpen: false, done: 4, failed: 0 });
    assert.equal(drawnIn(tick), 0);
    bar.end();
  });
});

it('a rate follows the counts, and forgets', () => {
  const rate = new Rate();
  rate.feed(0, 0);
  assert.equal(rate.value, undefined);
  rate.feed(1000, 1000);
  assert.equal(rate.value, 1000);
  for (let second = 2; second <= 30; second++) rate.feed(1000 + (second - 1) * 100, second * 1000);
  assert.ok(Math.abs((rate.value as number) - 100) < 5, String(rate.value));
});

it('a rate is right from the first task that ends, however long nothing ended before it', () => {
  const rate = new Rate();
  for (let tick = 0; tick < 10; tick++) rate.feed(0, tick * 100);
  assert.equal(rate.value, undefined);
  rate.feed(2, 1000);
  const value: number | undefined = nowOf(rate);
  assert.ok(Math.abs((value ?? 0) - 2) < 0.5, String(value));
});

/** Read anew: after an assertion the compiler believes that it is still undefined. */
function nowOf(rate: Rate): number | undefined {
  return rate.value;
}
