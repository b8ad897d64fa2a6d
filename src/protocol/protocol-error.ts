/** A peer broke a P rule. `detail` is sent to it; the connection is closed. */
export class ProtocolError extends Error {
  readonly code: 'invalid' | 'tooLarge' | 'unsupported';

  constructor(code: ProtocolError['code'], detail: string) {
    super(detail);
    this.name = 'ProtocolError';
    this.code = code;
  }
}
