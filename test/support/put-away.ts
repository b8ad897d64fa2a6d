import type { CDPSession, Page } from 'playwright-core';

/** The window of a page of a drowsy browser: whoever puts it away hides the page, and its browser may freeze it then. */
export class PageWindow {
  readonly #devtools: CDPSession;

  private constructor(devtools: CDPSession) {
    this.#devtools = devtools;
  }

  static async of(page: Page): Promise<PageWindow> {
    return new PageWindow(await page.context().newCDPSession(page));
  }

  hide(): Promise<void> {
    return this.#bounds('minimized');
  }

  show(): Promise<void> {
    return this.#bounds('normal');
  }

  /** As a phone does with what nobody has looked at for a while. Nothing of the page runs until it is shown. */
  async freeze(): Promise<void> {
    await this.hide();
    await this.#devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
  }

  async thaw(): Promise<void> {
    await this.#devtools.send('Page.setWebLifecycleState', { state: 'active' });
    await this.show();
  }

  /** The browser's own setting. It tells its pages that something of the connection has changed when that is measured anew. */
  async saveData(dataSaverEnabled: boolean): Promise<void> {
    await this.#devtools.send('Emulation.setDataSaverOverride', { dataSaverEnabled });
    const measured = { latency: dataSaverEnabled ? 100 : 300, downloadThroughput: 50_000, uploadThroughput: 50_000 };
    await this.#devtools.send('Network.overrideNetworkState', { offline: false, ...measured });
  }

  async #bounds(windowState: 'minimized' | 'normal'): Promise<void> {
    const { windowId } = await this.#devtools.send('Browser.getWindowForTarget');
    await this.#devtools.send('Browser.setWindowBounds', { windowId, bounds: { windowState } });
  }
}
