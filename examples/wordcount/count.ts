/** The task: which words does one text use, and how often? */

export interface Text {
  /** BCP 47 tag: it decides where words end and what is lower case. */
  readonly language: string;
  /** Markup, whose tags are not counted. */
  readonly html: string;
}

export interface Count {
  readonly texts: number;
  readonly words: number;
  readonly often: Map<string, number>;
}

export default function countWords(text: Text): Count {
  const often = new Map<string, number>();
  let words = 0;
  // Not every language puts spaces between words, so it is Unicode's rules and ICU's dictionaries that split.
  const segmenter = new Intl.Segmenter(text.language, { granularity: 'word' });
  for (const paragraph of paragraphs(text.html)) {
    for (const { segment, isWordLike } of segmenter.segment(paragraph)) {
      if (!isWordLike || /^\p{N}+$/u.test(segment)) continue;
      const word = segment.toLocaleLowerCase(text.language).normalize('NFC');
      often.set(word, (often.get(word) ?? 0) + 1);
      words++;
    }
  }
  return { texts: 1, words, often };
}

/** What stands between the tags of the body. */
function paragraphs(html: string): string[] {
  const body = html.slice(html.indexOf('<body>') + '<body>'.length);
  return body
    .split(/<[^>]*>/)
    .map((piece) =>
      piece.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&#x26;', '&').replaceAll('&amp;', '&'),
    )
    .filter((piece) => piece.trim() !== '');
}

/** Two counts as one: the order of texts does not matter, so they can be added as they come in. */
export function add(a: Count, b: Count): Count {
  const often = new Map(a.often);
  for (const [word, times] of b.often) often.set(word, (often.get(word) ?? 0) + times);
  return { texts: a.texts + b.texts, words: a.words + b.words, often };
}

/** The `limit` most frequent words; equally frequent ones in the order of their code units, so that runs agree. */
export function top(count: Count, limit: number): [string, number][] {
  return [...count.often].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, limit);
}
