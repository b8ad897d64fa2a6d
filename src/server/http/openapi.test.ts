import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import Type, { type TSchema } from 'typebox';
import Value from 'typebox/value';
import { routes } from '../../../test/support/described.ts';
import { repository } from '../../../test/support/directories.ts';
import { imageFiles } from '../../../test/support/image-files.ts';
import { ServedFarm } from '../../../test/support/served-farm.ts';
import { describeApi } from './openapi.ts';

const farm = await ServedFarm.start({ after }, { bootImages: imageFiles({ after }).directory });
const described = (await farm.json('GET', '/v1/openapi.json')) as unknown as Description;

interface Operation {
  readonly 'x-roles': readonly string[] | 'public';
  readonly parameters: readonly { name: string; in: string; required: boolean; schema: TSchema }[];
  readonly requestBody?: { readonly content: Record<string, { schema?: TSchema; example?: unknown }> };
  readonly responses: Record<string, { description: string; content?: Record<string, { schema?: TSchema }> }>;
}

interface Description {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, TSchema> };
}

const operations = Object.entries(described.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

test('the description is made of the route table, and the copy in docs is fresh', () => {
  assert.deepEqual(described, JSON.parse(JSON.stringify(describeApi(routes))));
  const copy = JSON.parse(readFileSync(`${repository}/docs/openapi.json`, 'utf8')) as unknown;
  assert.deepEqual(copy, described, 'run: node scripts/describe-api.ts');
});

test('every route but the pages is in it, and nothing else', () => {
  const there = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`).sort();
  const wanted = routes.filter(({ page }) => page !== true).map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(there, wanted.map((each) => each.replace(/:(\w+)/g, '{$1}')).sort());
});

/** The parts of OpenAPI 3.1 that we use, closed, so that a misspelt member is found. */
const closed = { additionalProperties: false };
const Schema = Type.Object({});
const Media = Type.Object({ schema: Type.Optional(Schema), example: Type.Optional(Type.Unknown()) }, closed);
const Content = Type.Record(Type.String({ pattern: '^[a-z]+/[a-z0-9.+-]+$' }), Media);
const Parameter = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    in: Type.Union([Type.Literal('path'), Type.Literal('query')]),
    required: Type.Boolean(),
    schema: Schema,
    description: Type.Optional(Type.String()),
  },
  closed,
);
const Response = Type.Object({ description: Type.String({ minLength: 2 }), content: Type.Optional(Content) }, closed);
const OperationShape = Type.Object(
  {
    summary: Type.String({ minLength: 8, pattern: '\\.$' }),
    'x-roles': Type.Union([Type.Literal('public'), Type.Array(Type.String(), { minItems: 1 })]),
    security: Type.Optional(Type.Array(Type.Object({}))),
    parameters: Type.Array(Parameter),
    requestBody: Type.Optional(Type.Object({ required: Type.Boolean(), content: Content }, closed)),
    responses: Type.Record(Type.String({ pattern: '^([1-5][0-9][0-9]|default)$' }), Response),
  },
  closed,
);

describe('the description is valid OpenAPI 3.1', () => {
  test('as a whole', () => {
    const whole = described as unknown as { openapi: string; info: object; security: object[]; components: object };
    assert.equal(whole.openapi, '3.1.0');
    assert.deepEqual(Object.keys(whole), ['openapi', 'info', 'security', 'paths', 'components']);
    assert.deepEqual(Object.keys(whole.info), ['title', 'version', 'description']);
    assert.deepEqual(whole.security, [{ token: [] }]);
    assert.deepEqual(Object.keys(whole.components), ['securitySchemes', 'schemas']);
  });
  for (const { path, method, operation } of operations) {
    test(`${method} ${path}`, () => {
      assert.deepEqual(Value.Errors(OperationShape, operation), []);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const told = operation.parameters.filter((each) => each.in === 'path');
      assert.deepEqual(
        told.map(({ name }) => name),
        inPath,
      );
      assert.ok(told.every(({ required, schema }) => required && Object.keys(schema).length > 0));
      const names = operation.parameters.map(({ name }) => name);
      assert.equal(new Set(names).size, names.length, 'a parameter is there twice');
      assert.ok('default' in operation.responses);
      assert.ok(
        Object.keys(operation.responses).some((status) => /^[12]/.test(status)),
        'no success is described',
      );
      for (const name of referencesIn(operation)) assert.ok(name in described.components.schemas, name);
    });
  }
  test('schemas refer to what is there, and are all used', () => {
    const used = new Set(referencesIn(described));
    assert.deepEqual([...used].sort(), Object.keys(described.components.schemas).sort());
  });
});

function referencesIn(part: unknown): string[] {
  return [...JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name = '']) => name);
}

test('every example of a request in it works as it stands', async (t) => {
  const job = await farm.submit({ code: 'export default (x) => x;', open: true });
  const names: Record<string, string> = { job: `${job}`, sha256: sha256OfHello, session: 'a'.repeat(32) };
  let tried = 0;
  for (const { path, method, operation } of operations) {
    for (const [type, { schema, example }] of Object.entries(operation.requestBody?.content ?? {})) {
      if (example === undefined) {
        assert.ok(schema === undefined || Value.Check(schema, {}), `${method} ${path} needs an example`);
        continue;
      }
      tried++;
      await t.test(`${method} ${path} with ${type}`, async () => {
        if (schema !== undefined) assert.ok(Value.Check(schema, example));
        const address = path.replace(/\{(\w+)\}/g, (_, name: string) => names[name] ?? assert.fail(name));
        const body = typeof example === 'string' ? example : JSON.stringify(example);
        const answer = await farm.ask(method.toUpperCase(), address, { headers: { 'content-type': type }, body });
        assert.ok(answer.status === 200 || answer.status === 201, answer.text);
      });
    }
  }
  assert.ok(tried >= 4);
});

const sha256OfHello = '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';
