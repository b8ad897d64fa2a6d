import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';

export type { Logger };

/** Structured lines on stderr; on a terminal one readable line each. Never a token: those are not passed to it. */
export function createLog(options: { level?: string; out?: DestinationStream; pretty?: boolean } = {}): Logger {
  const out = options.out ?? { write: (line: string) => void process.stderr.write(line) };
  const pretty = options.pretty ?? process.stderr.isTTY === true;
  const destination = pretty ? { write: (line: string) => out.write(readable(line)) } : out;
  return pino({ level: options.level ?? 'info', base: null, timestamp: stdTimeFunctions.isoTime }, destination);
}

const LEVELS: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warning',
  50: 'error',
  60: 'fatal',
};

function readable(line: string): string {
  const { time, level, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const facts = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const stack = (err as { stack?: string } | undefined)?.stack;
  const text = [String(time).slice(11, 19), LEVELS[Number(level)] ?? '', msg, ...facts].join(' ');
  return `${withoutControls(text)}${stack === undefined ? '' : `\n${withoutControls(stack)}`}\n`;
}

/** What workers and clients call themselves must not move the cursor of whoever reads the log. (T-16) */
function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '?');
}
