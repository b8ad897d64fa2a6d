/** Input that cannot be read: where it stands, what is wrong, and what to do about it. */
export class InputError extends Error {
  override readonly name = 'InputError';

  constructor(file: string, line: number | undefined, problem: string, options?: ErrorOptions) {
    super(line === undefined ? `${file}: ${problem}` : `${file}, line ${line}: ${problem}`, options);
  }
}
