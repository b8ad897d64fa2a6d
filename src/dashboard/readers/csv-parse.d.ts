/** The part of csv-parse that a page uses; the library's own types bring those of Node, which a page does not have. */
export interface Options {
  readonly bom: boolean;
  readonly delimiter: string;
  readonly quote: string | null;
  readonly skip_empty_lines: boolean;
  readonly columns: (header: string[]) => string[];
}

export function parse(text: string, options: Options): unknown[];
