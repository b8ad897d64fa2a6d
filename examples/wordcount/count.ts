/** The task: which words does one text use, and how often? */

export interface Text {
  /** BCP 47 tag: it decides where words end and what is lower case. */
  readonly language: string;
  /** Markup, whose tags are not counted. */
  readonly html: string;
}

export interface Count {
  texts: number;
  words: number;
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

/** Adds a count to a total, in whatever order they come: it makes no difference. */
export function add(total: Count, { texts, words, often }: Count): Count {
  total.texts += texts;
  total.words += words;
  for (const [word, times] of often) total.often.set(word, (total.often.get(word) ?? 0) + times);
  return total;
}

export function nothing(): Count {
  return { texts: 0, words: 0, often: new Map() };
}

/** The `limit` most frequent words; equally frequent ones in the order of their code units, so that runs agree. */
export function top(count: Count, limit: number): [string, number][] {
  return [...count.often].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, limit);
}
