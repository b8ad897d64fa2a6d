import type { TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { openBrowser } from './browser.ts';
import type { Cleanup } from './cleanup.ts';
import { assertQuiet, openPage } from './opened-page.ts';
import { ServedFarm } from './served-farm.ts';
import { waitFor } from './wait.ts';

/** Of ten tasks one fails, one has nothing to say, and all print a line. */
const SQUARES = `export default async (n) => {
  console.log('task ' + n);
  await new Promise((resolve) => setTimeout(resolve, 40));
  if (n % 10 === 7) throw new RangeError('no answer for ' + n);
  return n === 3 ? undefined : { n, square: n * n };
};`;

/** A farm with a worker of two slots, and a browser to look at it. */
export class WatchedFarm {
  readonly farm: ServedFarm;
  readonly browser: Browser;

  private constructor(farm: ServedFarm, browser: Browser) {
    this.farm = farm;
    this.browser = browser;
  }

  static async start(suite: Cleanup): Promise<WatchedFarm> {
    const farm = await ServedFarm.start(suite);
    await farm.join(2);
    return new WatchedFarm(farm, await openBrowser(suite));
  }

  /** The link that opens a page, with the administrator's token unless another is given. */
  address(path: string, token = this.farm.tokens.admin): string {
    return `http://127.0.0.1:${this.farm.port}${path}#${token}`;
  }

  /** Opens a page; `quiet` fails if anything happened on it that should not have. */
  async open(t: TestContext, path: string, token?: string): Promise<{ page: Page; quiet: () => void }> {
    const opened = await openPage(t, this.browser, this.address(path, token));
    return { page: opened.page, quiet: () => assertQuiet(opened) };
  }

  /** A job of 60 tasks that takes more than a second. */
  submit(more: object = {}): Promise<number> {
    const range = { start: 0, step: 1, count: 60 };
    return this.farm.submit({
      name: 'squares',
      code: SQUARES,
      sourceName: 'squares.js',
      range,
      maxFailures: 99,
      ...more,
    });
  }

  async ended(job: number): Promise<void> {
    const isOver = async () =>
      (await this.farm.json<{ progress: { endedAt?: number } }>('GET', `/v1/jobs/${job}`)).progress.endedAt;
    await waitFor(isOver, { what: `the end of job ${job}`, timeout: 20_000 });
  }
}
