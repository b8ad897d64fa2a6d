/**
 * The bytes of blobs may lie in a bucket (D24): where those of this farm do, and which of them. An upload there has parts, which S3
 * names by tags; what is not yet enough for a part is in `blob_chunks`, as all of it is where there is no bucket.
 */
export const bucket = `
ALTER TABLE farm ADD COLUMN bucket text;
ALTER TABLE blobs ADD COLUMN in_bucket boolean NOT NULL DEFAULT false;
ALTER TABLE damaged_blobs ADD COLUMN in_bucket boolean NOT NULL DEFAULT false;
ALTER TABLE blob_uploads
  ADD COLUMN in_bucket boolean NOT NULL DEFAULT false,
  ADD COLUMN parts text,
  ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
  ADD COLUMN in_parts bigint NOT NULL DEFAULT 0;
`;
