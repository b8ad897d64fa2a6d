export const FORMATS = ['lines', 'jsonl', 'csv', 'tsv'] as const;
export type Format = (typeof FORMATS)[number];
