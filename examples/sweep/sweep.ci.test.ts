import assert from 'node:assert/strict';
import { test } from 'node:test';
import { typeDocument } from '../../test/support/documents.ts';
import epidemic from './epidemic.ts';
import { plot } from './plot.ts';

test('an epidemic is the same each time, dies out where nobody is infected, and is smaller where more are vaccinated', () => {
  const open = epidemic({ spread: 3, vaccinated: 0 });
  assert.deepEqual(epidemic({ spread: 3, vaccinated: 0 }), open);
  // The final size z of the textbook's model fulfils z = 1 - exp(-spread * z): 0.94 for 3.
  assert.ok(Math.abs(open.ill - 0.94) < 0.02, String(open.ill));
  assert.ok(open.peak > 0.2 && open.peak < open.ill);
  assert.equal(epidemic({ spread: 0, vaccinated: 0 }).ill, 10 / 20_000);
  assert.ok(epidemic({ spread: 3, vaccinated: 0.5 }).ill < 0.4);
});

test('the plot has a curve for each share of vaccinated people', () => {
  const courses = [0, 0.5].flatMap((vaccinated) =>
    [1, 2].map((spread) => ({ spread, vaccinated, ill: spread / 4, peak: 0.1 })),
  );
  const svg = plot(courses);
  assert.equal(svg.match(/<polyline/g)?.length, 2);
  assert.match(svg, /50 % vaccinated/);
});

test('its README prints what it says it prints', { timeout: 170_000 }, async (t) => {
  assert.equal(await typeDocument(t, 'examples/sweep/README.md'), 3);
});
