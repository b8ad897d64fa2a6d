/** A file as it is. */
export interface File {
  readonly name: string;
  readonly html: string;
}

/** The first task: what a reader would see of a page. */
export default function textOf({ name, html }: File): { name: string; text: string } {
  const body = html.slice(html.indexOf('<body>') + '<body>'.length);
  const text = body.replaceAll(/<[^>]*>/g, ' ').replaceAll(/&#?\w+;/g, ' ');
  return { name, text };
}
