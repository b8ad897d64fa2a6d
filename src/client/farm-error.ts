/**
 * The farm said no, or could not be reached. `code`: `unreachable`, `closed`, `damaged`, `changed` (a file, while it was
 * read), or what the server answered (`unknown`, `conflict`, `invalid`, `forbidden`, `full`, `busy`, `tooLarge`).
 */
export class FarmError extends Error {
  override readonly name = 'FarmError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
