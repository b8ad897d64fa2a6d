import { ProtocolError } from '../../protocol/protocol-error.ts';
import { ValueError } from '../../protocol/values/value-error.ts';
import { BlobError } from '../../store/blobs.ts';
import { StoreError } from '../../store/store.ts';
import { TokenError } from '../auth/tokens.ts';
import { Problem } from '../problem.ts';
import { RequestError } from '../requests.ts';

const SOON = { headers: { 'retry-after': '1' } };

/** What a caller may be told of an error; undefined: it is a fault of ours. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof RequestError) {
    return new Problem(error.code, error.message, error.code === 'busy' ? SOON : {});
  }
  if (error instanceof ValueError) return new Problem('invalid', error.message);
  if (error instanceof ProtocolError)
    return new Problem(error.code === 'tooLarge' ? 'tooLarge' : 'invalid', error.message);
  if (error instanceof TokenError)
    return new Problem(error.code === 'barred' ? 'forbidden' : error.code, error.message);
  if (error instanceof BlobError) {
    if (error.code === 'full') return new Problem('full', error.message);
    if (error.code === 'corrupt') return undefined;
    return new Problem(error.code === 'offset' ? 'conflict' : 'invalid', error.message);
  }
  if (error instanceof StoreError) {
    if (error.code === 'full') return new Problem('full', error.message);
    if (error.code === 'conflict') return new Problem('conflict', error.message);
    if (error.code === 'busy' || error.code === 'fenced' || error.code === 'rewound') {
      return new Problem('busy', error.message, SOON);
    }
  }
  return undefined;
}
