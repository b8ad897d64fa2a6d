import { type Store, StoreError } from '../store/store.ts';

/**
 * The same store, which tells of it when any of its verbs finds that the disk cannot be trusted (F-22): commits are not
 * the only ones to find out, and a server that only answers "busy" from then on would do so for ever.
 */
export function tellWhenBroken(store: Store, tell: (error: StoreError) => void): Store {
  return new Proxy(store, {
    get(target, name) {
      const verb: unknown = Reflect.get(target, name);
      if (typeof verb !== 'function') return verb;
      return (...args: unknown[]) => {
        const answer: unknown = verb.apply(target, args);
        if (answer instanceof Promise) {
          answer.catch((error: unknown) => {
            if (error instanceof StoreError && error.code === 'broken') tell(error);
          });
        }
        return answer;
      };
    },
  });
}
