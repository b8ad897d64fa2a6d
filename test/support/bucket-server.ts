import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { S3 } from '@aws-sdk/client-s3';
import { freePort } from './free-port.ts';

/** A real server that speaks S3, with data of its own, for a test file. */
export interface BucketServer {
  readonly endpoint: string;
  /** What finds the key that it knows. */
  readonly env: Readonly<Record<string, string>>;
  makeBucket(name: string, client: S3): Promise<void>;
  /** The names of all objects in a bucket. */
  objects(bucket: string, client: S3): Promise<string[]>;
  /** In the middle of whatever it does; what it has stored stays. */
  kill(): Promise<void>;
  /** Starts it again. */
  run(): Promise<void>;
  remove(): Promise<void>;
}

interface NewBucket {
  readonly name: string;
  readonly url: string;
  readonly client: S3;
  objects(): Promise<string[]>;
}

let buckets = 0;

/** A new, empty bucket, and how `--blobs` names it. */
export async function newBucket(server: BucketServer): Promise<NewBucket> {
  const name = `blobs-${++buckets}`;
  const client = clientOf(server);
  await server.makeBucket(name, client);
  return { name, url: `s3://${name}?endpoint=${server.endpoint}`, client, objects: () => server.objects(name, client) };
}

function clientOf({ endpoint, env }: BucketServer): S3 {
  return new S3({
    endpoint,
    region: 'us-east-1',
    requestChecksumCalculation: 'WHEN_REQUIRED',
    forcePathStyle: true,
    credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
  });
}

const OBJECT = '._S3rver_object';

/** Written in JavaScript: it needs nothing but what `npm ci` installs. It does all that we need but giving up uploads. */
export class S3rver implements BucketServer {
  readonly endpoint: string;
  readonly env = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER', AWS_EC2_METADATA_DISABLED: 'true' };
  readonly #directory = mkdtempSync(path.join(tmpdir(), 'manyhands-s3-'));
  readonly #port: number;
  #process: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<S3rver> {
    const server = new S3rver(await freePort());
    await server.run();
    return server;
  }

  /** Not by requests: those that name no object it takes for signed wrongly. */
  async makeBucket(name: string): Promise<void> {
    mkdirSync(path.join(this.#directory, name));
  }

  async objects(bucket: string): Promise<string[]> {
    const files = readdirSync(path.join(this.#directory, bucket), { recursive: true, encoding: 'utf8' });
    return files
      .filter((file) => file.endsWith(OBJECT))
      .map((file) => file.slice(0, -OBJECT.length))
      .sort();
  }

  async run(): Promise<void> {
    const entry = path.join(import.meta.dirname, 'entry/s3rver.ts');
    const child = spawn(process.execPath, [entry, this.#directory, `${this.#port}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'close').then(() => Promise.reject(new Error('s3rver did not start'))),
    ]);
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    const gone = once(child, 'close');
    child.kill('SIGKILL');
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
