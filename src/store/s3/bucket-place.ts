import { StoreError } from '../store.ts';

/** Why a bucket cannot be what keeps the blobs of a farm, in one sentence. */
export class BucketError extends StoreError {
  constructor(message: string, options?: ErrorOptions) {
    super('refused', message, options);
    this.name = 'BucketError';
  }
}

/** Where blobs lie, as `s3://BUCKET/PREFIX?endpoint=https://…&region=…` and the environment say. Keys are never part of it. */
export interface BucketPlace {
  readonly bucket: string;
  /** Begins the name of each object: empty, or with a slash at its end. */
  readonly prefix: string;
  /** Absent: that of Amazon. */
  readonly endpoint: string | undefined;
  /** Absent: what the files of Amazon's tools say. */
  readonly region: string | undefined;
  /** The name of the bucket stands in the path, not before the host. */
  readonly inPath: boolean;
}

const FORM = 's3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION';
const KNOWN = new Set(['endpoint', 'region', 'path-style']);
/** It needs one, whether the server cares or not. */
const ANY_REGION = 'us-east-1';

/** Throws a {@link BucketError} for what is no such URL; whatever may be secret in it is not repeated. */
export function bucketPlaceOf(text: string, env: NodeJS.ProcessEnv): BucketPlace {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 's3:') refuse(`it looks like ${FORM}`);
  if (
    url.username !== '' ||
    url.password !== '' ||
    [...url.searchParams.keys()].some((name) => /key|secret|token/i.test(name))
  ) {
    refuse(
      'keys do not belong into the URL, which everybody sees in the list of processes: put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    );
  }
  const odd = [...url.searchParams.keys()].find((name) => !KNOWN.has(name));
  if (odd !== undefined) refuse(`it takes endpoint, region and path-style behind the question mark, not "${odd}"`);
  // Names of hosts may be written in capitals, those of buckets not.
  const [, bucket = ''] = /^s3:\/\/([^/?#]*)/i.exec(text) ?? [];
  if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i.test(bucket)) refuse(`it looks like ${FORM}`);
  const prefix = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, '');
  const endpoint = endpointOf(
    url.searchParams.get('endpoint') ?? env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'],
  );
  const style = url.searchParams.get('path-style') ?? `${endpoint !== undefined}`;
  if (style !== 'true' && style !== 'false') refuse(`path-style is true or false, not "${style}"`);
  const region = url.searchParams.get('region') ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'];
  return {
    bucket,
    prefix: prefix === '' ? '' : `${prefix}/`,
    endpoint,
    region: region ?? (endpoint === undefined ? undefined : ANY_REGION),
    inPath: style === 'true',
  };
}

/** For people. */
export function nameOfPlace({ bucket, prefix, endpoint }: BucketPlace): string {
  const at = endpoint === undefined ? '' : ` at ${new URL(endpoint).host}`;
  return `s3://${bucket}${prefix === '' ? '' : `/${prefix.slice(0, -1)}`}${at}`;
}

function endpointOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    refuse('the endpoint of the bucket looks like https://s3.example');
  if (url.username !== '' || url.password !== '')
    refuse(
      'keys do not belong into the endpoint of the bucket: put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    );
  return url.href.replace(/\/$/, '');
}

function refuse(why: string): never {
  throw new BucketError(why);
}
