import { BrowserWorker, type BrowserWorkerOptions } from './browser-worker.ts';

export type { WorkerEnd } from '../driver.ts';
export type { BrowserWorker, Lending } from './browser-worker.ts';
export type { PauseWhen } from './page-life.ts';
export type JoinOptions = Omit<BrowserWorkerOptions, 'url'>;

/**
 * Makes this page a worker of the farm whose join link is given: `http://HOST:PORT/join#TOKEN`. It computes until it is
 * stopped or the page is closed. Tasks run in a frame that the farm's server brings along and that reaches nothing of this
 * page. A page of another origin than the server's needs `manyhands serve --allow-origin` there.
 *
 * Throws a TypeError where the link is none; what happens afterwards is told by `change` events and `ended`.
 */
export function join(link: string | URL, options: JoinOptions = {}): BrowserWorker {
  return new BrowserWorker({ ...options, url: link });
}
