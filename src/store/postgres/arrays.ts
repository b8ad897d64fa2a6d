/**
 * Arrays as PostgreSQL reads them. A group is written with one statement a table, whose parameters are a list for each column;
 * the driver's own way of making them looks at each element for quotes.
 */

export function numbers(list: readonly (number | undefined)[]): string {
  return `{${list.map((each) => each ?? 'NULL').join()}}`;
}

export function truths(list: readonly boolean[]): string {
  return `{${list.join()}}`;
}

/** Texts of JSON, in which a line break is always escaped: for `string_to_array(…, E'\n')`, where an empty line is NULL. */
export function lines(list: readonly (string | undefined)[]): string {
  return list.map((each) => each ?? '').join('\n');
}

/** Bytes one behind the other; where each begins and how long it is, for `substr`. */
export function concatenated(list: readonly (Uint8Array | undefined)[]): [all: Buffer, at: string, length: string] {
  let end = 1;
  const at: number[] = [];
  for (const bytes of list) {
    at.push(end);
    end += bytes?.length ?? 0;
  }
  return [
    Buffer.concat(list.filter((each) => each !== undefined)),
    numbers(at),
    numbers(list.map((each) => each?.length)),
  ];
}
