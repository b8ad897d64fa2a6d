import type { Course } from './epidemic.ts';

const WIDTH = 720;
const HEIGHT = 440;
const MARGIN = { left: 64, right: 132, top: 48, bottom: 52 };

/** Draws a curve for each share of vaccinated people: how many fell ill, over how fast it spreads. An SVG file's text. */
export function plot(courses: readonly Course[]): string {
  const spreads = courses.map(({ spread }) => spread);
  const [from, to] = [Math.min(...spreads), Math.max(...spreads)];
  const x = (spread: number) => MARGIN.left + ((spread - from) / (to - from)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (ill: number) => HEIGHT - MARGIN.bottom - ill * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const groups = Map.groupBy(courses, ({ vaccinated }) => vaccinated);
  const curves = [...groups].map(([vaccinated, group], at) =>
    curve(vaccinated, group, `hsl(${(at / groups.size) * 280} 65% 45%)`),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(
      MARGIN.left,
      26,
      'How many fall ill, by how fast it spreads and how many are vaccinated',
      'font-weight="bold"',
    ),
    ...[0, 0.25, 0.5, 0.75, 1].map((share) => grid(y(share), `${100 * share} %`)),
    ...[1, 2, 3, 4]
      .filter((spread) => spread >= from && spread <= to)
      .map((spread) => text(x(spread), HEIGHT - 30, `${spread}`, 'text-anchor="middle"')),
    text(WIDTH / 2 - 30, HEIGHT - 10, 'people whom a patient infects', 'text-anchor="middle"'),
    ...curves,
    '</svg>',
    '',
  ].join('\n');

  function curve(vaccinated: number, group: readonly Course[], colour: string): string {
    const sorted = group.toSorted((a, b) => a.spread - b.spread);
    const points = sorted.map(({ spread, ill }) => `${x(spread).toFixed(1)},${y(ill).toFixed(1)}`);
    const last = sorted.at(-1) as Course;
    const line = `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2.5"/>`;
    return (
      line +
      text(x(last.spread) + 8, y(last.ill) + 4, `${Math.round(100 * vaccinated)} % vaccinated`, `fill="${colour}"`)
    );
  }
}

function grid(height: number, label: string): string {
  const line = `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${height}" y2="${height}" stroke="#ddd"/>`;
  return line + text(MARGIN.left - 8, height + 4, label, 'text-anchor="end"');
}

function text(x: number, y: number, words: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${words}</text>`;
}
