import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { Cleanup } from './cleanup.ts';
import { type OpenedPage, openPage } from './opened-page.ts';
import type { ServedFarm } from './served-farm.ts';
import { waitFor } from './wait.ts';

/** A worker as the API tells of it. */
export interface ListedWorker {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly slots: number;
  readonly state: string;
}

export async function workersOf(farm: ServedFarm): Promise<readonly ListedWorker[]> {
  return (await farm.json<{ workers: ListedWorker[] }>('GET', '/v1/workers')).workers;
}

/** Opens the join link as its owner would, and touches the button. The worker is there when this returns. */
export async function lendPage(
  t: Cleanup,
  where: Browser | BrowserContext,
  farm: ServedFarm,
  slots?: number,
): Promise<OpenedPage> {
  const before = (await workersOf(farm)).length;
  const opened = await openPage(t, where, farm.server.joinUrl);
  if (slots !== undefined) await setSlots(opened.page, slots);
  await opened.page.locator('#lend').click();
  await waitFor(async () => (await workersOf(farm)).length > before, { what: 'the page to join', timeout: 20_000 });
  return opened;
}

export async function setSlots(page: Page, slots: number): Promise<void> {
  await page.locator('#slots').fill(`${slots}`);
}

/** A finished job's records in the order of its tasks. */
export async function recordsOf(farm: ServedFarm, job: number): Promise<Record<string, unknown>[]> {
  const isOver = async () =>
    (await farm.json<{ progress: { endedAt?: number } }>('GET', `/v1/jobs/${job}`)).progress.endedAt;
  await waitFor(isOver, { what: `the end of job ${job}`, timeout: 60_000 });
  const { text } = await farm.ask('GET', `/v1/jobs/${job}/results?order=index`);
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

export async function valuesOf(farm: ServedFarm, job: number): Promise<unknown[]> {
  return (await recordsOf(farm, job)).map(({ value }) => value);
}
