/** What a browser calls itself, in the words of people: for lists of workers, and for nothing else. */
export function deviceOf(agent: string): { browser: string; version: string; system: string } {
  // Most say that they are others, too: the most particular name counts.
  const found = NAMES.map((name) => new RegExp(`\\b${name}/(\\d+)`).exec(agent)).find((match) => match !== null);
  const name = found?.[0].split('/')[0] ?? 'a browser';
  const version = found?.[1] ?? '';
  const system = SYSTEMS.find((each) => agent.includes(each)) ?? 'a device';
  return { browser: BROWSERS[name] ?? name, version, system: PLAIN[system] ?? system };
}

const NAMES = [
  ...['Edg', 'OPR', 'SamsungBrowser', 'Firefox', 'FxiOS', 'CriOS', 'HeadlessChrome', 'Chrome'],
  // Safari alone has its version under another name.
  'Version',
];

const BROWSERS: Readonly<Record<string, string>> = {
  Edg: 'Edge',
  OPR: 'Opera',
  SamsungBrowser: 'Samsung Internet',
  CriOS: 'Chrome',
  FxiOS: 'Firefox',
  HeadlessChrome: 'Chrome',
  Version: 'Safari',
};

const SYSTEMS = ['Android', 'iPhone', 'iPad', 'Windows', 'Mac OS X', 'CrOS', 'Linux'];

const PLAIN: Readonly<Record<string, string>> = { 'Mac OS X': 'macOS', CrOS: 'ChromeOS' };
