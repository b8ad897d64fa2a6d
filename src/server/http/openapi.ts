import type { TSchema } from 'typebox';
import { NAMED, ProblemAnswer } from './answers.ts';
import { PARAMETERS, type Route, route } from './route.ts';

/** The description of the API, made of the route table. The copy in docs/openapi.json is compared by a test. */
export function describeApi(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const each of routes) {
    if (each.page === true) continue;
    const path = each.path.replace(/:(\w+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][each.method.toLowerCase()] = operation(each);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'manyhands',
      version: '1',
      description:
        'The HTTP API of a manyhands server. Sockets are described in PROTOCOL.md, the form of values in VALUES.md.',
    },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: Object.fromEntries(
        Object.entries(NAMED).map(([name, schema]) => [name, withReferences(schema, schema)]),
      ),
    },
  };
}

function operation(each: Route): Record<string, unknown> {
  const parameters = [...each.path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: PARAMETERS[name as keyof typeof PARAMETERS],
  }));
  return {
    summary: each.summary,
    'x-roles': each.access,
    ...(each.access === 'public' ? { security: [] } : {}),
    parameters: [...parameters, ...queryParameters(each)],
    ...(each.body === undefined
      ? {}
      : {
          requestBody: {
            required: each.body.optional !== true,
            content: { [each.body.type]: bodyOf(each.body) },
          },
        }),
    responses: responses(each),
  };
}

function bodyOf({ schema, example }: NonNullable<Route['body']>): Record<string, unknown> {
  return { ...(schema === undefined ? {} : { schema }), ...(example === undefined ? {} : { example }) };
}

/** What has a name stands in the description once. */
function withReferences(schema: unknown, whole?: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema;
  const name = schema === whole ? undefined : NAMES.get(JSON.stringify(schema));
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
  if (Array.isArray(schema)) return schema.map((each) => withReferences(each));
  return Object.fromEntries(Object.entries(schema).map(([key, each]) => [key, withReferences(each)]));
}

/** By what they say, since an optional member is a copy. */
const NAMES = new Map(Object.entries(NAMED).map(([name, schema]) => [JSON.stringify(schema), name]));

function queryParameters(each: Route): unknown[] {
  const shape = each.query as { properties?: Record<string, TSchema>; required?: string[] } | undefined;
  const named = Object.entries(shape?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: shape?.required?.includes(name) === true,
    schema,
  }));
  if (each.ticket !== true) return named;
  return [
    ...named,
    { name: 'ticket', in: 'query', required: false, schema: { type: 'string' }, description: 'Instead of the header.' },
  ];
}

function responses(each: Route): Record<string, unknown> {
  const answers: Record<string, unknown> = {};
  for (const [status, answer] of Object.entries(each.answers)) {
    const type = Number(status) >= 400 ? 'application/problem+json' : answer.type;
    const schema = withReferences(Number(status) >= 400 ? ProblemAnswer : answer.schema);
    const content = type === undefined ? {} : { content: { [type]: schema === undefined ? {} : { schema } } };
    answers[status] = { description: answer.description, ...content };
  }
  const problem = { 'application/problem+json': { schema: withReferences(ProblemAnswer) } };
  answers.default = { description: 'Anything else that is wrong.', content: problem };
  return answers;
}

/** The description itself is no secret, but who asks for it should be of the farm. */
export function apiRoute(routes: () => readonly Route[]): Route {
  let described: Record<string, unknown> | undefined;
  return route({
    method: 'GET',
    path: '/v1/openapi.json',
    access: ['admin', 'submit', 'work', 'read'],
    summary: 'This description.',
    answers: { 200: { description: 'OpenAPI 3.1.', type: 'application/json' } },
    handle: () => {
      described ??= describeApi(routes());
      return { json: described };
    },
  });
}
