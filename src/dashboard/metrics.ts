/** Figures by their names, with labels where they have some. */
export type Metrics = ReadonlyMap<string, number>;

/** Reads the text format of Prometheus, as far as our own server writes it. */
export function readMetrics(text: string): Metrics {
  const figures = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([a-z_]\w*(?:\{.*\})?) (-?[\d.]+(?:e[+-]?\d+)?)$/i.exec(line) ?? [];
    if (name !== undefined) figures.set(name, Number(value));
  }
  return figures;
}
