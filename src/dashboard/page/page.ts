import { TOKEN_ANSWER } from '../../model/page-limits.ts';
import { type FarmView, fold, nothingSeen } from '../fold.ts';
import { type Place, placeOf } from '../places.ts';
import { Api, type Me } from './api.ts';
import { FeedReader, type Link } from './feed-reader.ts';
import { keepToken, TokenExchange, takeToken, tokenIn } from './token.ts';

/** Everything that a page shows follows from this. */
export interface PageState {
  readonly place: Place;
  /** Absent: the page has no token. */
  readonly api: Api | undefined;
  readonly me: Me | undefined;
  readonly link: Link;
  readonly view: FarmView;
  /** The server's wall clock, as far as it can be told. */
  readonly now: number;
}

/** The one page of the site: which place it shows, with whose token, and what the feed has told so far. */
export class Page {
  #state: PageState;
  #reader: FeedReader | undefined;
  #changed: () => void = () => {};
  /** The server's clock less the one that counts from the page's start. */
  #ahead = Date.now() - performance.now();

  constructor() {
    const place = placeOf(location.pathname);
    const token = takeToken(place.page === 'join' ? 'join' : 'look');
    this.#state = {
      place,
      api: token === undefined ? undefined : new Api(token),
      me: undefined,
      link: { state: 'connecting' },
      view: nothingSeen,
      now: Date.now(),
    };
    if (place.page === 'join') return;
    addEventListener('popstate', () => this.#set({ place: placeOf(location.pathname) }));
    // A link with another token, pasted into the address bar of an open page, only changes the fragment.
    addEventListener('hashchange', () => {
      const fresh = tokenIn(location.hash) === undefined ? undefined : takeToken('look');
      if (fresh !== undefined) this.use(fresh);
    });
    document.addEventListener('click', (event) => this.#follow(event));
    setInterval(() => {
      if (!document.hidden) this.#set({});
    }, 1_000);
    const others = new TokenExchange(() => (this.#state.link.state === 'refused' ? undefined : this.#state.api?.token));
    if (token === undefined) this.#find(others);
    else this.#begin();
  }

  get state(): PageState {
    return this.#state;
  }

  onChange(changed: () => void): void {
    this.#changed = changed;
  }

  /** Goes on with another token. */
  use(token: string): void {
    keepToken('look', token);
    this.#reader?.stop();
    this.#set({ api: new Api(token), me: undefined, link: { state: 'connecting' }, view: nothingSeen });
    this.#begin();
  }

  go(path: string): void {
    history.pushState(null, '', path);
    this.#set({ place: placeOf(path) });
    scrollTo(0, 0);
  }

  /** A page that waits for an answer says soon what else can be done, and goes on when the answer comes after all. */
  #find(others: TokenExchange): void {
    others.ask((token) => {
      if (this.#state.api === undefined) this.use(token);
    });
    setTimeout(() => {
      if (this.#state.api === undefined) this.#set({ link: { state: 'unknown' } });
    }, TOKEN_ANSWER);
  }

  #begin(): void {
    const { api } = this.#state;
    if (api === undefined) return;
    this.#reader = new FeedReader(api, {
      message: (message) => {
        if ('at' in message) {
          const ahead = message.at - performance.now();
          // What was missed comes with its own times, which are of the past.
          this.#ahead = message.kind === 'snapshot' ? ahead : Math.max(ahead, this.#ahead);
        }
        this.#set({ view: fold(this.#state.view, message) });
      },
      link: (link) => {
        this.#set({ link });
        if (link.state === 'live' && this.#state.me === undefined) void this.#ask(api);
      },
    });
  }

  async #ask(api: Api): Promise<void> {
    try {
      const me = await api.json<Me>('/v1/me');
      if (this.#state.api === api) this.#set({ me });
    } catch {
      // The feed's link says what is wrong; without an answer the page only offers to read.
    }
  }

  #set(change: Partial<PageState>): void {
    this.#state = { ...this.#state, ...change, now: performance.now() + this.#ahead };
    this.#changed();
  }

  /** Links inside the site change the place and keep the page, its feed and its charts. */
  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || link.origin !== location.origin || link.target !== '' || link.hasAttribute('download')) return;
    if (link.hash !== '' || ['nowhere', 'join'].includes(placeOf(link.pathname).page)) return;
    event.preventDefault();
    if (link.pathname !== location.pathname) this.go(link.pathname);
  }
}
