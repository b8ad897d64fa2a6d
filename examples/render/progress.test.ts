import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Progress } from './progress.ts';

function screen(isTTY: boolean): { isTTY: boolean; columns: number; text: string; write(text: string): void } {
  return {
    isTTY,
    columns: 60,
    text: '',
    write(text) {
      this.text += text;
    },
  };
}

test('the share and the time left follow the cost of what is done, the rate its number', () => {
  const progress = new Progress('all', [30, 10, 10, 10], screen(false));
  assert.equal(progress.line(1), '0%  0/4 tiles');
  progress.done(0);
  assert.equal(progress.line(6), '50%  1/4 tiles  0.2/s  ETA 6 s');
  for (const index of [3, 1, 2]) progress.done(index);
  assert.equal(progress.line(10), '100%  4/4 tiles  0.4/s  ETA 0 s');
  progress.end();
});

test('a terminal gets one line that is redrawn and cleared, a pipe gets whole lines', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  for (const isTTY of [true, false]) {
    const out = screen(isTTY);
    const progress = new Progress('all slots', [1, 1], out);
    progress.done(1);
    t.mock.timers.tick(5_000);
    progress.end();
    if (isTTY) {
      const [first, ...drawings] = out.text.split('\r\x1b[2K');
      assert.deepEqual([first, drawings.pop()], ['', ''], 'each drawing clears the line, so does the end');
      assert.ok(drawings.length > 10);
      for (const line of drawings) assert.match(line, /^all slots {2}█{12}░{12} {2}50% {2}1\/2 tiles.{0,12}$/);
    } else assert.match(out.text, /^all slots {2}50% {2}1\/2 tiles {2}\d+\.\d\/s {2}ETA \d+ s\n$/);
    const before = out.text;
    t.mock.timers.tick(5_000);
    assert.equal(out.text, before, 'nothing more after the end');
  }
});
