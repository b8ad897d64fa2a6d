import assert from 'node:assert/strict';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { type Cleanup, cleanUp } from './cleanup.ts';

/** Milliseconds for what is shown to come: long, because a test's machine may be busy, and no test's verdict. */
const PATIENCE = 20_000;

/** A page of a farm in a browser, and everything in it that should not have happened. */
export interface OpenedPage {
  readonly page: Page;
  /** Dialogs, errors, and whatever the policy of the page has refused. */
  readonly complaints: string[];
}

/** Opens an address in a window of its own, of a context that is there or made for it. When the test ends nothing may have complained. */
export async function openPage(
  t: Cleanup,
  where: Browser | BrowserContext,
  address: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const isMade = 'newContext' in where;
  const context = isMade ? await where.newContext({ viewport: { width: 1_280, height: 800 }, ...options }) : where;
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  cleanUp(t, () => (isMade ? context : page).close());
  const complaints: string[] = [];
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => complaints.push(`an error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(`the console: ${message.text()}`);
  });
  await page.addInitScript(
    `addEventListener('securitypolicyviolation', (event) => console.error('refused: ' + event.violatedDirective));`,
  );
  await page.goto(address);
  return { page, complaints };
}

/** Fails with what went wrong on the page. */
export function assertQuiet({ complaints }: OpenedPage): void {
  assert.deepEqual(complaints, []);
}
