/**
 * What a validator never looked at. Validators of Kubernetes pass what they do not know, as the server once did: a field with
 * a letter too many would be without effect and without a word.
 */
export class Unread {
  readonly #left: { path: string; keys: Set<string> }[] = [];

  /** To be handed to the validator in place of the value. */
  watch(value: unknown, path = ''): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const parts = new Map(Object.entries(value).map(([key, part]) => [key, this.watch(part, `${path}/${key}`)]));
    const keys = new Set(parts.keys());
    this.#left.push({ path, keys });
    return new Proxy(value, {
      get(target, key) {
        keys.delete(String(key));
        return parts.get(String(key)) ?? Reflect.get(target, key);
      },
    });
  }

  get paths(): string[] {
    return this.#left.flatMap(({ path, keys }) => [...keys].map((key) => `${path}/${key}`));
  }
}
