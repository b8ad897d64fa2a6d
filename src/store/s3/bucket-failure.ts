/** What an answer of a bucket, or none, means: it may go away by itself, or somebody has to do something. */
export interface BucketFailure {
  readonly passes: boolean;
  /** Follows the name of the bucket. */
  readonly sentence: string;
}

interface S3Error {
  readonly name?: string;
  readonly message?: string;
  /** Of the network. */
  readonly code?: string;
  readonly errors?: readonly S3Error[];
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> };
}

const NETWORK = /^(E[A-Z]{3,}|UND_|CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_)/;
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS/;
const KEY = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';

export function bucketFailureOf(error: unknown): BucketFailure {
  const { name = '', message = '', code = '', errors, $metadata, $response } = error as S3Error;
  const network = code === '' ? (errors?.[0]?.code ?? '') : code;
  if (NETWORK.test(network)) return networkFailure(network, message === '' ? (errors?.[0]?.message ?? '') : message);
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  const known = knownFailure(name, $response?.headers ?? {});
  if (known !== undefined) return { passes: false, sentence: known };
  if (/^(TimeoutError|NetworkingError|AbortError|RequestTimeout)$/.test(name)) {
    return { passes: true, sentence: `does not answer (${message})` };
  }
  if (status === undefined) return { passes: false, sentence: `cannot be used: ${message}` };
  if (status >= 500 || status === 429 || status === 408 || name === 'SlowDown') {
    return { passes: true, sentence: `takes no requests now (${told(name, message)}, HTTP ${status})` };
  }
  // An answer that is no XML, or of another kind.
  if (/Deserialization|char .* is not expected|Unknown|SyntaxError/.test(`${name} ${message}`)) {
    return { passes: false, sentence: `does not speak S3 there (HTTP ${status}): look at the endpoint` };
  }
  return { passes: false, sentence: `refused what was asked (${told(name, message)}, HTTP ${status})` };
}

function networkFailure(code: string, message: string): BucketFailure {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    const host = /(?:ENOTFOUND|EAI_AGAIN) (\S+)/.exec(message)?.[1] ?? 'its host';
    return { passes: true, sentence: `cannot be found: the name ${host} is not known to this network` };
  }
  if (CERTIFICATE.test(code)) {
    return {
      passes: false,
      sentence: `has a certificate that is not trusted here (${message}): name its authority in NODE_EXTRA_CA_CERTS`,
    };
  }
  if (code === 'EPROTO') return { passes: false, sentence: `does not speak TLS (${code}): is the endpoint http://?` };
  return {
    passes: true,
    sentence: `does not answer (${message === '' ? code : message}): is an S3 server running there?`,
  };
}

function knownFailure(name: string, headers: Readonly<Record<string, string>>): string | undefined {
  const region = headers['x-amz-bucket-region'];
  switch (name) {
    case 'NoSuchBucket':
      return 'does not exist: create the bucket, or look at its name and endpoint';
    case 'CredentialsProviderError':
      return `needs a key, and there is none: set ${KEY}`;
    case 'InvalidAccessKeyId':
      return 'does not know this key: look at AWS_ACCESS_KEY_ID';
    case 'SignatureDoesNotMatch':
      return 'does not accept this key: look at AWS_SECRET_ACCESS_KEY';
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'InvalidToken':
      return 'does not accept AWS_SESSION_TOKEN any more: get a new one';
    case 'RequestTimeTooSkewed':
      return 'has another time than this machine: set its clock';
    case 'AuthorizationHeaderMalformed':
    case 'PermanentRedirect':
    case 'IllegalLocationConstraintException':
      return `is in another region: say which one with ?region=${region ?? '…'}`;
    case 'AccessDenied':
    case 'AllAccessDisabled':
    case 'AccountProblem':
      return 'does not allow this key what is needed: it has to read, write and delete objects there';
    default:
      return undefined;
  }
}

function told(name: string, message: string): string {
  return message === '' || message === name ? name : `${name}: ${message}`;
}
