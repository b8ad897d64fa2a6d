import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, type TestContext, test } from 'node:test';
import { newBucket, S3rver } from '../../../test/support/bucket-server.ts';
import { cleanUp } from '../../../test/support/cleanup.ts';
import { Bucket } from './bucket.ts';
import { BucketError, bucketPlaceOf } from './bucket-place.ts';

const server = await S3rver.start();
after(() => server.remove());
Object.assign(process.env, server.env);

async function refusal(url: string): Promise<string> {
  try {
    (await Bucket.open(bucketPlaceOf(url, {}))).close();
    return 'it was opened';
  } catch (error) {
    assert.ok(error instanceof BucketError, `${error}`);
    return error.message;
  }
}

async function saying(t: TestContext, listener: RequestListener): Promise<string> {
  const odd = createServer(listener).listen(0, '127.0.0.1');
  cleanUp(t, () => void odd.close());
  await new Promise((resolve) => odd.once('listening', resolve));
  return `s3://blobs?endpoint=http://127.0.0.1:${(odd.address() as AddressInfo).port}`;
}

test('D24 where a bucket is, is told by its URL and the variables of Amazon’s tools', () => {
  const amazon = { bucket: 'b-1', prefix: '', endpoint: undefined, region: undefined, inPath: false };
  assert.deepEqual(bucketPlaceOf('s3://b-1', {}), amazon);
  assert.deepEqual(bucketPlaceOf('s3://b-1/', { AWS_REGION: 'eu-west-3' }), { ...amazon, region: 'eu-west-3' });
  assert.equal(bucketPlaceOf('s3://b-1?region=x', { AWS_REGION: 'y', AWS_DEFAULT_REGION: 'z' }).region, 'x');
  const other = { bucket: 'bbb', prefix: 'a/f 1/', endpoint: 'http://h:9000', region: 'us-east-1', inPath: true };
  assert.deepEqual(bucketPlaceOf('s3://bbb/a/f%201/?endpoint=http://h:9000/', {}), other);
  assert.deepEqual(
    bucketPlaceOf('s3://bbb/a', { AWS_ENDPOINT_URL: 'http://one', AWS_ENDPOINT_URL_S3: 'https://two' }),
    {
      ...other,
      prefix: 'a/',
      endpoint: 'https://two',
    },
  );
  assert.equal(bucketPlaceOf('s3://bbb?endpoint=https://h&path-style=false', {}).inPath, false);
});

test('D24 what is no such URL is told in one sentence, and no key is repeated', () => {
  const cases: [string, RegExp][] = [
    ['farm', /^it looks like s3:\/\/BUCKET\/PREFIX\?endpoint=https:\/\/HOST&region=REGION$/],
    ['https://s3.example/blobs', /^it looks like s3:/],
    ['s3://', /^it looks like s3:/],
    ['s3://x_?', /^it looks like s3:/],
    ['s3://AKIA:topsecret@blobs', /^keys do not belong into the URL, .*: put them into AWS_ACCESS_KEY_ID and AWS_SEC/],
    ['s3://blobs?secret_key=topsecret', /^keys do not belong into the URL/],
    ['s3://blobs?endpoint=https://AKIA:topsecret@h', /^keys do not belong into the endpoint of the bucket/],
    ['s3://blobs?endpoint=s3.example', /^the endpoint of the bucket looks like https:\/\/s3\.example$/],
    ['s3://blobs?zone=1', /^it takes endpoint, region and path-style behind the question mark, not "zone"$/],
    ['s3://blobs?path-style=maybe', /^path-style is true or false, not "maybe"$/],
  ];
  for (const [url, says] of cases) {
    assert.throws(
      () => bucketPlaceOf(url, {}),
      (error: Error) => {
        assert.match(error.message, says, url);
        assert.doesNotMatch(error.message, /topsecret/);
        return error instanceof BucketError;
      },
    );
  }
});

test('D24 what keeps a bucket from being used is told in one sentence, and nothing is left in it', async (t) => {
  const bucket = await newBucket(server);
  const port = new URL(server.endpoint).port;
  const here = `s3:\\/\\/${bucket.name} at 127\\.0\\.0\\.1:${port}`;
  assert.equal(await refusal(bucket.url), 'it was opened');
  assert.match(
    await refusal(`s3://absent?endpoint=${server.endpoint}`),
    /^s3:\/\/absent at \S+ does not exist: create the bucket, or/,
  );
  assert.match(
    await refusal('s3://blobs?endpoint=http://127.0.0.1:9'),
    /^s3:\/\/blobs at 127\.0\.0\.1:9 does not answer \(.*ECONNREFUSED.*\): is an S3 server running there\?$/,
  );
  assert.match(
    await refusal('s3://blobs?endpoint=http://no.such.host.invalid'),
    /^s3:\/\/blobs at no\.such\.host\.invalid cannot be found: the name no\.such\.host\.invalid is not known to this network$/,
  );
  assert.match(
    await refusal(bucket.url.replace('http:', 'https:')),
    new RegExp(`^${here} does not speak TLS \\(EPROTO\\): is the endpoint http:\\/\\/\\?$`),
  );
  const withEnv = async (name: string, value: string | undefined): Promise<string> => {
    const before = process.env[name];
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
    try {
      return await refusal(bucket.url);
    } finally {
      process.env[name] = before;
    }
  };
  assert.match(
    await withEnv('AWS_SECRET_ACCESS_KEY', 'wrong'),
    new RegExp(`^${here} does not accept this key: look at AWS_SECRET`),
  );
  assert.match(
    await withEnv('AWS_ACCESS_KEY_ID', 'nobody'),
    new RegExp(`^${here} does not know this key: look at AWS_ACCESS_KEY_ID`),
  );
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = '/nowhere';
  process.env['AWS_CONFIG_FILE'] = '/nowhere';
  t.after(() => {
    delete process.env['AWS_SHARED_CREDENTIALS_FILE'];
    delete process.env['AWS_CONFIG_FILE'];
  });
  assert.match(
    await withEnv('AWS_ACCESS_KEY_ID', undefined),
    new RegExp(`^${here} needs a key, and there is none: set AWS_ACC`),
  );
  assert.deepEqual(await bucket.objects(), [], 'nothing half-made');
});

test('D24 a server that is none of S3 is told as that, one that is busy is asked again', async (t) => {
  const page = await saying(t, (_, response) => void response.writeHead(404).end('<html><p>not here'));
  assert.match(await refusal(page), /^s3:\/\/blobs at \S+ (does not speak S3 there|refused what was asked) .*404/);
  const forbidden = await saying(
    t,
    (_, response) => void response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>'),
  );
  assert.match(
    await refusal(forbidden),
    /does not allow this key what is needed: it has to read, write and delete objects there$/,
  );
  const moved = await saying(
    t,
    (_, response) =>
      void response
        .writeHead(301, { 'x-amz-bucket-region': 'eu-north-1' })
        .end('<Error><Code>PermanentRedirect</Code></Error>'),
  );
  assert.match(await refusal(moved), /is in another region: say which one with \?region=eu-north-1$/);
  let asked = 0;
  const busy = await saying(t, (_, response) => {
    asked++;
    response.writeHead(503).end('<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>');
  });
  assert.match(await refusal(busy), /takes no requests now \(SlowDown: Reduce your request rate\., HTTP 503\)$/);
  assert.ok(asked >= 4, `${asked}`);
});

test('D24 a read that is cut on its way goes on behind what came', async (t) => {
  const place = await newBucket(server);
  const real = await Bucket.open(bucketPlaceOf(place.url, {}));
  cleanUp(t, () => real.close());
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
  await real.put('x', bytes);
  const ranges: string[] = [];
  const cutting = await saying(t, (request, response) => {
    const { range = '' } = request.headers;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    if (request.method !== 'GET' || from === undefined) {
      // The probe: it is given back what it wrote.
      const parts: Buffer[] = [];
      request
        .on('data', (part: Buffer) => parts.push(part))
        .on('end', () => {
          if (request.method === 'PUT') probe = Buffer.concat(parts);
          response.end();
        });
      return;
    }
    const part = request.url?.includes('probe') ? probe : bytes.subarray(Number(from), Number(to) + 1);
    ranges.push(range);
    response.writeHead(206, { 'content-length': part.length });
    if (part.length <= 100_000) return void response.end(part);
    response.write(part.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 20));
  });
  let probe = Buffer.alloc(0);
  const bucket = await Bucket.open(bucketPlaceOf(cutting, {}));
  cleanUp(t, () => bucket.close());
  ranges.length = 0;
  const got = Buffer.concat(await Array.fromAsync(bucket.read('x', 0, bytes.length)));
  assert.ok(got.equals(bytes));
  assert.ok(ranges.length >= 3, `${ranges}`);
});
