/** How often each word stands in one file. */
export interface Words {
  readonly name: string;
  readonly often: Map<string, number>;
}

/** The second task: the words of a text. */
export default function wordsOf({ name, text }: { name: string; text: string }): Words {
  const often = new Map<string, number>();
  for (const [word] of text
    .normalize('NFC')
    .toLowerCase()
    .matchAll(/\p{L}[\p{L}\p{M}’']*/gu))
    often.set(word, (often.get(word) ?? 0) + 1);
  return { name, often };
}
