import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Page } from 'playwright-core';
import { noBrowser } from '../support/browser.ts';
import { assertQuiet, openPage } from '../support/opened-page.ts';
import { waitFor } from '../support/wait.ts';
import { WatchedFarm } from '../support/watched-farm.ts';

const watched = (noBrowser === false ? await WatchedFarm.start({ after }) : {}) as WatchedFarm;
const { farm } = watched;

/** Some fail and are tried again, and one takes long. */
const CODE = `export default async (n) => {
  await new Promise((resolve) => setTimeout(resolve, n === 17 ? 900 : 30));
  if (n % 10 === 7 && n !== 17) throw new RangeError('no answer for ' + n);
  return n;
};`;

const job = noBrowser === false ? await watched.submit({ name: 'past', code: CODE, retries: 1 }) : 0;
if (noBrowser === false) await watched.ended(job);

/** The colours of a picture, and how many of its pixels have them. */
async function coloursOf(page: Page, section: string): Promise<Record<string, number>> {
  return (await page.evaluate(`(() => {
    const shown = document.querySelector('${section} canvas');
    const canvas = new OffscreenCanvas(shown.width, shown.height);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(shown, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const counts = {};
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) {
      const color = '#' + [data[i], data[i + 1], data[i + 2]].map((each) => each.toString(16).padStart(2, '0')).join('');
      counts[color] = (counts[color] ?? 0) + 1;
    }
    return counts;
  })()`)) as Record<string, number>;
}

/** The page's own colours in light: done, failed. */
const DONE = '#0f766e';
const FAILED = '#b42318';

describe('the past of a job in Chromium', { skip: noBrowser }, () => {
  test('is a picture: what was done and what failed, zoomed and moved with buttons, keys and the mouse', async (t) => {
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
    const timeline = page.locator('section.timeline');
    await timeline.getByText(/^All of /).waitFor();
    const drawn = await coloursOf(page, '.timeline');
    assert.ok((drawn[DONE] ?? 0) > 500 && (drawn[FAILED] ?? 0) > 10, JSON.stringify(drawn));
    await timeline.getByRole('img', { name: /^\d+ batches on 1 worker in [\d.]+.s, some with failures$/ }).waitFor();
    const shown = async () => (await timeline.locator('.pages .aside').textContent()) ?? '';
    await timeline.getByRole('button', { name: 'Zoom in' }).click();
    await timeline.getByText(/ of [\d.]+.s$/).waitFor();
    const half = await coloursOf(page, '.timeline');
    assert.notDeepEqual(half, drawn);
    await timeline.getByRole('button', { name: 'On', exact: true }).click();
    assert.notDeepEqual(await coloursOf(page, '.timeline'), half);
    const picture = timeline.getByRole('group', { name: /^Timeline:/ });
    const before = await shown();
    await picture.press('+');
    await waitFor(async () => (await shown()) !== before, { what: 'the key to zoom' });
    await picture.press('ArrowLeft');
    await picture.press('0');
    await timeline.getByText(/^All of /).waitFor();
    await timeline.locator('canvas').hover();
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -400);
    await page.keyboard.up('Control');
    await timeline.getByText(/ of [\d.]+.s$/).waitFor();
    const box = await timeline.locator('canvas').boundingBox();
    const [x, y] = [(box?.x ?? 0) + (box?.width ?? 0) / 2, (box?.y ?? 0) + 30];
    const zoomed = await coloursOf(page, '.timeline');
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x - 200, y, { steps: 5 });
    await page.mouse.up();
    assert.notDeepEqual(await coloursOf(page, '.timeline'), zoomed);
    assert.equal(await timeline.locator('.moment').count(), 0, 'who drags chooses nothing');
    await page.mouse.click(x, y);
    await timeline.locator('.moment').waitFor();
    quiet();
  });

  test('can be gone through moment by moment with the keyboard, and says what went on', async (t) => {
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
    const slider = page.getByRole('slider', { name: 'Moment' });
    await slider.focus();
    const said = page.locator('.moment [role=status]');
    const heard: string[] = [];
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('ArrowRight');
      heard.push((await said.textContent()) ?? '');
    }
    await page.keyboard.press('End');
    await said.getByText('60 of 60 tasks ended, 5 failed').waitFor();
    const ended = heard.map((text) => Number(/ (\d+) of 60 tasks ended/.exec(text)?.[1]));
    assert.ok(new Set(ended).size >= 5 && ended.every((each, i) => each >= (ended[i - 1] ?? 0)), `${ended}`);
    assert.ok(
      heard.some((text) => text.includes('2 slots busy')),
      heard.join('\n'),
    );
    await page.keyboard.press('Home');
    await waitFor(
      async () => {
        await page.keyboard.press('ArrowRight');
        return (await page.locator('.moment li a').count()) > 0;
      },
      { what: 'something to run' },
    );
    await page.locator('.moment li a').first().click();
    await page.getByRole('heading', { level: 1, name: /^Task \d+$/ }).waitFor();
    quiet();
  });

  test('plays by itself to its end, with the keyboard, and in moments that stand still for who wants no motion', async (t) => {
    const opened = await openPage(t, watched.browser, watched.address(`/jobs/${job}`));
    const { page } = opened;
    const slider = page.getByRole('slider', { name: 'Moment' });
    const button = (name: string) => page.locator('.scrubber').getByRole('button', { name, exact: true });
    const said = page.locator('.moment [role=status]');
    const heard = new Set<string>();
    const at = async () => {
      heard.add((await said.textContent()) ?? '');
      return Number(await slider.inputValue());
    };
    const last = Number(await slider.getAttribute('max'));
    await button('Play').press('Space');
    await said.waitFor();
    const begin = await at();
    assert.ok(begin < last / 2, `it begins at its beginning, not at ${begin} of ${last}`);
    await waitFor(async () => (await at()) > last / 2, { what: 'the second half', timeout: 20_000 });
    assert.equal(await said.getAttribute('aria-live'), 'off', 'what passes is not read out');
    await button('Pause').press('Enter');
    await button('Play').waitFor();
    const paused = await at();
    await page.waitForTimeout(300);
    assert.equal(await at(), paused, 'it stands still');
    await button('Play').click();
    await button('Pause').waitFor();
    assert.ok((await at()) >= paused, 'it goes on where it was');
    await button('Play').waitFor();
    assert.equal(await at(), last, 'it stops at the end');
    assert.equal(await said.getAttribute('aria-live'), 'polite');
    await said.getByText('60 of 60 tasks ended, 5 failed').waitFor();
    assert.ok(heard.size > 10, `it moves: ${heard.size} moments were seen`);

    heard.clear();
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await button('Play').click();
    await button('Pause').waitFor();
    await waitFor(async () => (await at()) < last, { what: 'the beginning again' });
    await waitFor(async () => (await at()) === last, { what: 'the end', timeout: 20_000 });
    assert.ok(heard.size > 4 && heard.size <= 12, `${heard.size} moments stood still`);
    await slider.press('Home');
    await button('Play').click();
    await button('Pause').waitFor();
    await slider.press('ArrowRight');
    await button('Play').waitFor();
    assertQuiet(opened);
  });

  test('of many batches one in so many is drawn, and all of them where one looks closely', async (t) => {
    const code = 'export default (n) => new Promise((done) => setTimeout(done, 5, n));';
    const long = await watched.submit({ code, range: { start: 0, step: 1, count: 1_500 } });
    await watched.ended(long);
    const { page, quiet } = await watched.open(t, `/jobs/${long}`);
    const timeline = page.locator('section.timeline');
    await timeline.getByText(/^Of 1,\d{3} batches one in 2 is drawn; zoom in to see them all\.$/).waitFor();
    await timeline.getByRole('button', { name: 'Zoom in' }).click();
    await timeline.getByRole('button', { name: 'Zoom in' }).click();
    await timeline.getByText(/^All \d+ batches of this time are drawn\.$/).waitFor();
    await page.getByRole('slider', { name: 'Moment' }).press('ArrowLeft');
    await page
      .locator('.moment [role=status]', { hasText: /about \d+ slots? busy; about 1,\d+ of 1,500 tasks ended/ })
      .waitFor();
    quiet();
  });

  test('on a phone a finger moves it, two zoom, and a touch of the map leads to the task', async (t) => {
    const touch = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
    const opened = await openPage(t, watched.browser, watched.address(`/jobs/${job}`), touch);
    const { page } = opened;
    const timeline = page.locator('section.timeline');
    await timeline.getByText(/^All of /).waitFor();
    await timeline.locator('canvas').scrollIntoViewIfNeeded();
    const box = await timeline.locator('canvas').boundingBox();
    const y = (box?.y ?? 0) + 30;
    const session = await page.context().newCDPSession(page);
    const fingers = (type: 'touchStart' | 'touchMove' | 'touchEnd', ...xs: number[]) =>
      session.send('Input.dispatchTouchEvent', { type, touchPoints: xs.map((x, id) => ({ x, y, id })) });
    await fingers('touchStart', 150, 210);
    for (let by = 10; by <= 60; by += 10) await fingers('touchMove', 150 - by, 210 + by);
    await fingers('touchEnd');
    await timeline.getByText(/ of [\d.]+.s$/).waitFor();
    // From its middle it can be moved to both sides.
    await timeline.getByRole('button', { name: 'Whole' }).tap();
    await timeline.getByRole('button', { name: 'Zoom in' }).tap();
    await timeline.getByText(/ of [\d.]+.s$/).waitFor();
    const zoomed = await coloursOf(page, '.timeline');
    await fingers('touchStart', 150);
    for (let by = 10; by <= 80; by += 10) await fingers('touchMove', 150 + by);
    await fingers('touchEnd');
    await waitFor(async () => !isDeepStrictEqual(await coloursOf(page, '.timeline'), zoomed), { what: 'it to move' });
    const map = page.locator('section.task-map');
    await map.getByRole('img', { name: /^60 tasks/ }).waitFor();
    // A finger that comes down right after a swipe only stops what that has set going.
    await page.waitForTimeout(1_000);
    await map.locator('canvas').tap({ position: { x: 30, y: 5 } });
    await page.getByRole('heading', { level: 1, name: 'Task 1' }).waitFor();
    assertQuiet(opened);
  });

  test('in figures: by worker, how long tasks take, and which took too long', async (t) => {
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
    await page.getByText('By worker').click();
    const row = page.locator('.shares tbody tr');
    assert.match((await row.textContent()) ?? '', /^helper\d+605[\d.]+.s$/);
    await page
      .getByRole('img', { name: /^Tasks by how long they took: half of the tasks took up to .* the longest .*$/ })
      .waitFor();
    await page.locator('.stragglers li', { hasText: /task 17 on helper, [\d.]+ times the median/ }).waitFor();
    quiet();
  });

  test('a task that runs far too long gets a second copy, and the page says so', async (t) => {
    const other = await farm.join(1);
    // The first attempt never ends by itself; the second, on the other worker, does.
    let asked = 0;
    const oracle = createServer((_, response) => response.end(String(++asked)));
    await new Promise<void>((resolve) => oracle.listen(0, '127.0.0.1', resolve));
    t.after(() => oracle.close());
    const { port } = oracle.address() as AddressInfo;
    const code = `export default async (n, { signal }) => {
      if (n > 0) return n;
      if ((await (await fetch('http://127.0.0.1:${port}')).text()) !== '1') return n;
      await new Promise((_, no) => { signal.onabort = () => no(signal.reason); });
    };`;
    const slow = await watched.submit({ code, range: { start: 0, step: 1, count: 40 } });
    const { page, quiet } = await watched.open(t, `/jobs/${slow}`);
    await page
      .getByText(/^\d+ tasks? ran far longer than the others and got a second copy on another worker/)
      .waitFor();
    await watched.ended(slow);
    await page.locator('.stragglers li', { hasText: /task 0 on .*: worker [a-z2-7]{10} was faster/ }).waitFor();
    quiet();
    await other.stop();
  });

  test('a job that waits says why', async (t) => {
    const waits = await farm.submit({ code: CODE, inputs: [1, 2], requires: { place: 'moon' } });
    const { page, quiet } = await watched.open(t, `/jobs/${waits}`);
    const why = page.locator('section.why');
    await why.getByRole('heading', { name: 'Why it waits' }).waitFor();
    await why.getByText('No connected worker can run it.').waitFor();
    await why
      .getByText(/^Worker helper .* lacks the label place=moon\.$/)
      .first()
      .waitFor();
    await farm.json('POST', `/v1/jobs/${waits}/pause`);
    await why.getByText('The job is paused.').waitFor();
    await farm.json('POST', `/v1/jobs/${waits}/cancel`);
    await waitFor(async () => (await why.count()) === 0, { what: 'nothing to wait for' });
    quiet();
  });
});

describe('the map of tasks in Chromium', { skip: noBrowser }, () => {
  test('shows each task of a small job, and a click leads to its page', async (t) => {
    const { page, quiet } = await watched.open(t, `/jobs/${job}`);
    const map = page.locator('section.task-map');
    await map.getByRole('img', { name: '60 tasks: 55 done, 5 failed' }).waitFor();
    const colours = await coloursOf(page, '.task-map');
    assert.ok(
      (colours[DONE] ?? 0) > 8 * (colours[FAILED] ?? 0) && (colours[FAILED] ?? 0) > 100,
      JSON.stringify(colours),
    );
    const group = map.getByRole('group', { name: /^Map of tasks/ });
    await group.press('ArrowRight');
    await group.press('ArrowRight');
    await group.press('ArrowRight');
    await map.getByText('Task 2: done').waitFor();
    await map.getByRole('button', { name: 'Next failure' }).click();
    await map.getByText('Task 7: failed').waitFor();
    await group.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Task 7' }).waitFor();
    await page.goBack();
    await map.getByRole('img', { name: /^60 tasks/ }).waitFor();
    await map.locator('canvas').click({ position: { x: 5, y: 5 } });
    await page.getByRole('heading', { level: 1, name: 'Task 0' }).waitFor();
    quiet();
  });

  test('of a million tasks answers each touch within 100 ms', async (t) => {
    const code = `export default (n) => { if (n === 777_777) throw new Error('seven'); return n; };`;
    const big = await watched.submit({ name: 'million', code, range: { start: 0, step: 1, count: 1_000_000 } });
    await watched.ended(big);
    const { page, quiet } = await watched.open(t, `/jobs/${big}`);
    const map = page.locator('section.task-map');
    await map.getByText(/^All 1,000,000; each cell is \d+ tasks$/).waitFor();
    await map.getByRole('img', { name: /1 some failed$/ }).waitFor();
    const figures: Record<string, number> = {};
    /** From the press to the frame that shows what came of it, as the page itself measures it. */
    const time = async (name: string, press: () => Promise<unknown>, shows: RegExp) => {
      await page.evaluate(`{
        const began = new Promise((resolve) => {
          for (const kind of ['pointerdown', 'keydown', 'click']) addEventListener(kind, () => resolve(performance.now()), { once: true, capture: true });
        });
        const shown = async () => {
          const start = await began;
          const text = () => document.querySelector('section.task-map').textContent;
          while (!${shows}.test(text())) {
            if (performance.now() > start + 10_000) throw new Error('in vain: ' + text());
            await new Promise(requestAnimationFrame);
          }
          return performance.now() - start;
        };
        window.took = shown();
        undefined;
      }`);
      await press();
      figures[name] = (await page.evaluate('window.took')) as number;
    };
    const group = map.getByRole('group', { name: /^Map of tasks/ });
    await group.focus();
    await time('a key', () => page.keyboard.press('End'), /Tasks 999,\d+ to 999,999: all done/);
    await time('another key', () => page.keyboard.press('ArrowUp'), /Tasks \d+,\d+ to (?!999,999)/);
    await time('next failure', () => map.getByRole('button', { name: 'Next failure' }).click(), /: some failed/);
    await group.focus();
    await time('zoom in', () => page.keyboard.press('Enter'), /each cell is a task/);
    await map.getByRole('img', { name: /1 failed$/ }).waitFor();
    await time('the failure', () => map.getByRole('button', { name: 'Next failure' }).click(), /Task 777,777: failed/);
    await time('back to all', () => map.getByRole('button', { name: 'Back to all' }).click(), /All 1,000,000/);
    t.diagnostic(JSON.stringify(figures));
    // Other work on this machine may hold one up; not most of them.
    const times = Object.values(figures).sort((a, b) => a - b);
    assert.ok((times[Math.floor(times.length / 2)] ?? 0) <= 100, JSON.stringify(figures));
    assert.ok((times.at(-1) ?? 0) <= 400, JSON.stringify(figures));
    quiet();
  });
});
