import assert from 'node:assert/strict';
import Type from 'typebox';
import Value from 'typebox/value';
import { ProblemAnswer } from '../../src/server/http/answers.ts';
import type { Route } from '../../src/server/http/route.ts';
import { allRoutes, type RouteParts } from '../../src/server/http/routes.ts';
import type { Answer } from './http.ts';

/** The route table of every server: making it asks nothing of its parts. */
export const routes: readonly Route[] = allRoutes({
  core: {},
  feed: {},
  authority: {},
  metrics: {},
} as unknown as RouteParts);

const Told = Type.Object({ ...ProblemAnswer.properties, detail: Type.String({ minLength: 8, maxLength: 2_000 }) });

/** Fails if an answer is not what the description of the API says of it; fields that it does not name count as well. */
export function assertDescribed(method: string, address: string, answer: Answer): void {
  const { status, headers, body } = answer;
  if (method === 'HEAD' || body.length === 0) return;
  const type = headers['content-type'] ?? '';
  if (status >= 400) {
    assert.equal(type, 'application/problem+json', `${method} ${address}: ${status} ${answer.text}`);
    assert.ok(Value.Check(Told, answer.json), `not a problem: ${answer.text}`);
    assert.equal((answer.json as { status: number }).status, status);
    return;
  }
  const route = routeOf(method, address);
  const shape = route?.answers[status];
  if (route === undefined || shape === undefined) assert.fail(`${method} ${address}: ${status} is not described`);
  if (shape.schema === undefined) return;
  const lines = type === 'application/json' ? [answer.json] : linesOf(answer.text);
  // Of a long answer some lines tell as much as all.
  for (const value of [...lines.slice(0, 50), ...lines.slice(50).slice(-50)]) {
    const wrongs: readonly unknown[] = Value.Errors(shape.schema, value);
    assert.equal(wrongs.length, 0, `${method} ${address}: ${JSON.stringify(wrongs[0])} in ${JSON.stringify(value)}`);
    const known: unknown = Value.Clean(shape.schema, structuredClone(value));
    assert.deepEqual(value, known, `${method} ${address}: fields that are not described`);
  }
}

export function linesOf(text: string): unknown[] {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line is cut off');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

function routeOf(method: string, address: string): Route | undefined {
  const path = address.split('?', 1)[0] as string;
  return routes.find((route) => route.method === method && patternOf(route.path).test(path));
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}$`);
}
