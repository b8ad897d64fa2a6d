import { bucketBlobs } from '../../../test/support/bucket-blobs.ts';
import { S3rver } from '../../../test/support/bucket-server.ts';

await bucketBlobs('s3rver', () => S3rver.start());
