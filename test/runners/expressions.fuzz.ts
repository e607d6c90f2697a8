/**
 * Random expressions over random events: the compiled form and the interpreter give equal values of equal types, and the same
 * warnings, for documents with columns, for selections of them, and for records.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Diagnostic, SeededRandom } from '../../src/base/index.ts';
import { nodeIo } from '../../src/base/io/node.ts';
import { builtins } from '../../src/builtins/index.ts';
import { encodeValue, EventBatch, printJson, storeOf } from '../../src/data/index.ts';

import { compileTql, SourceText } from '../../src/lang/index.ts';
import type { Expr } from '../../src/sdk/index.ts';
import { fuzz } from '../../src/testing/index.ts';
import { Environment } from '../../src/engine/environment.ts';
import { predicateOf } from '../../src/engine/predicate.ts';
import { Compiler } from '../../src/engine/expression/compiler.ts';

const FIELDS = ['a', 'b', 'c', 'n.x', 'n.y', 'n', 'xs', 'flag', 'gone', 'a.b', 'this["e f"]', 'n.x.z'];
const NUMBERS =
  '0 1 -1 2 4.0 42 0.5 9007199254740993 9223372036854775807 18446744073709551615 -9223372036854775808 1e300'.split(' ');
const TEXTS = ['""', '"a"', '"abc"', '"42"', '"true"', '"10.0.0.1"', '"2024-01-01"', '"1s"', '"ü"', '"\\n"'];
const OTHERS =
  'true false null 1s -2.5h 2024-01-01 10.0.0.1 10.0.0.0/8 ::1 null true false [] {} [1,2.0,"a",null] ["a","abc","42"] {x:1} b"x"'.split(
    ' ',
  );
const functions = [...builtins.functions.values()].filter(({ isPure, name }) => isPure && name !== 'secret');
const aggregates = [...builtins.aggregates.keys()];

function pick<T>(random: SeededRandom, list: readonly T[]): T {
  return list[random.below(list.length)]!;
}

function field(random: SeededRandom): string {
  return pick(random, FIELDS) + pick(random, ['', '', '?']);
}

/** Values that meet often, in expressions and documents alike. */
const COMMON = ['42', '42.0', '"42"', 'true', '"true"', '"a"', 'null'];

function literal(random: SeededRandom): string {
  if (random.below(2) === 0) return pick(random, COMMON);
  return pick(random, pick(random, [NUMBERS, TEXTS, OTHERS]));
}

function expression(random: SeededRandom, depth: number): string {
  const inner = (): string => expression(random, depth - 1);
  if (depth <= 0 || random.below(6) === 0) return random.below(3) > 0 ? field(random) : literal(random);
  switch (random.below(14)) {
    case 0:
    case 1:
      return `(${inner()} ${pick(random, ['+', '-', '*', '/'])} ${inner()})`;
    case 2:
    case 3:
      return `(${inner()} ${pick(random, ['==', '!=', '<', '<=', '>', '>='])} ${inner()})`;
    case 4:
      return `(${field(random)} ${pick(random, ['==', '!=', '<', '>='])} ${literal(random)})`;
    case 5:
      return `(${inner()} ${pick(random, ['in', 'not in'])} ${inner()})`;
    case 6:
      return `(${inner()} ${pick(random, ['and', 'or'])} ${inner()})`;
    case 7:
      return `(${pick(random, ['not ', '-', '+'])}${inner()})`;
    case 8:
      return `(${inner()} if ${inner()}${random.below(2) > 0 ? ` else ${inner()}` : ''})`;
    case 9:
      return `(${inner()} else ${inner()})`;
    case 10:
      return pick(random, [
        `[${inner()}, ...${inner()}]`,
        `{k: ${inner()}, ...${inner()}}`,
        'f"{a} {n.x?}"',
        'this',
        '@name',
      ]);
    case 11:
      return `${inner()}[${inner()}]${pick(random, ['', '?'])}`;
    case 12:
      return `${pick(random, aggregates)}(${inner()})`;
    default: {
      const { name, parameters } = pick(random, functions);
      const given = parameters.filter(parameter => !parameter.isNamed);
      const count = given.length - random.below(1 + given.filter(parameter => parameter.isOptional).length);
      const named = parameters.filter(parameter => parameter.isNamed && random.below(3) === 0);
      const args = [...given.slice(0, count).map(inner), ...named.map(parameter => `${parameter.name}=${inner()}`)];
      return `${name}(${args.join(', ')})`;
    }
  }
}

const VALUES = [
  ...'0 1 -1 4 42 2.0 0.5 -0 9007199254740993 9223372036854775807 18446744073709551615 99999999999999999999 1e300 1e999'.split(
    ' ',
  ),
  ...'null true false [] {} [1,2] ["a",{"b":null}] {"b":"a"} {"x":{"z":1}}'.split(' '),
  ...'"" "a" "abc" "42" "4.0" "true" "null" "10.0.0.1" "2024-01-01T00:00:00.5Z" "1s" "ü" "4\\u0032" "\\u0061" "\\ud83d\\ude00" "\\n" "\\ud800"'.split(
    ' ',
  ),
];

function document(random: SeededRandom): string {
  const value = (): string => pick(random, random.below(2) === 0 ? COMMON : VALUES);
  const fields: string[] = [];
  const add = (name: string, text: string): void => {
    if (random.below(5) > 0) fields.push(`"${name}":${text}`);
  };
  for (const name of ['a', 'b', 'c', 'xs', 'e f']) add(name, value());
  add('flag', pick(random, ['true', 'false', 'null', value()]));
  add('n', random.below(4) === 0 ? value() : `{"x":${value()},"y":${value()}}`);
  // Repeated keys, and the same key in other letters.
  if (random.below(4) === 0) fields.push(`"${pick(random, ['a', 'b', 'n', '\\u0061'])}":${value()}`);
  return `{${fields.join(',')}}`;
}

interface Side {
  readonly compiler: Compiler;
  readonly warnings: Diagnostic[];
  count: number;
}

const io = nodeIo();

function side(isInterpreted: boolean): Side {
  const warnings: Diagnostic[] = [];
  const made: Side = {
    warnings,
    count: 0,
    compiler: new Compiler({
      registry: builtins,
      environment: new Environment(),
      host: { io, isInterpreted, service: () => undefined, warn: diagnostic => void warnings.push(diagnostic) },
      span: { start: 0, end: 0 },
      onWarning: () => {
        made.count++;
      },
    }),
  };
  return made;
}

function exprOf(text: string): Expr | undefined {
  const source = new SourceText('x', `where ${text}`);
  const { diagnostics, plan } = compileTql(source, builtins, { id: 'x', hasImplicitEnds: true });
  const stage = plan.chain.find(({ node }) => node.kind === 'filter');
  if (diagnostics.some(({ severity }) => severity === 'error') || stage?.node.kind !== 'filter') return undefined;
  return stage.node.predicate;
}

/** A batch in one of the forms that stages meet. */
function batchOf(random: SeededRandom, documents: readonly string[], form: number): EventBatch {
  const reading = { infers: random.below(2) === 0, merges: random.below(3) === 0 };
  const store = storeOf(documents.map(text => Buffer.from(text)));
  const whole = EventBatch.fromDocuments(store, 'name', undefined, reading);
  if (form === 0) return whole;
  const rows = documents.flatMap((_, row) => (random.below(form) === 0 ? [row] : []));
  const selected = whole.select(Uint32Array.from(rows));
  if (random.below(3) > 0) return selected;
  return selected.withRecords(Array.from({ length: selected.count }, (_, row) => selected.record(row)));
}

function same(batch: EventBatch, again: EventBatch, expr: Expr, text: string): void {
  const [reference, compiled] = [side(true), side(false)];
  const [left, right] = [reference.compiler.compile(expr), compiled.compiler.compile(expr)];
  for (let row = 0; row < batch.count; row++) {
    const where = `${text} of ${Buffer.from(batch.jsonOf(row)).toString()}`;
    const [expected, actual] = [left.value(batch, row), right.value(again, row)];
    assert.equal(encodeValue(actual), encodeValue(expected), where);
    // The texts of values that nobody changed, too.
    assert.equal(printJson(actual), printJson(expected), where);
    assert.equal(right.text(again, row), left.text(batch, row), where);
  }
  assert.deepEqual(compiled.warnings, reference.warnings, text);
  assert.equal(compiled.count, reference.count, text);
}

function selectsSame(batch: EventBatch, again: EventBatch, expr: Expr, text: string): void {
  const [reference, compiled] = [side(true), side(false)];
  const expected = [...predicateOf(expr, reference.compiler).select(batch)];
  assert.deepEqual([...predicateOf(expr, compiled.compiler).select(again)], expected, text);
  assert.deepEqual(compiled.warnings, reference.warnings, text);
  assert.equal(compiled.count, reference.count, text);
}

function step(random: SeededRandom, check: typeof same, make: (random: SeededRandom) => string): void {
  const expressions = Array.from({ length: 8 }, () => make(random));
  const documents = Array.from({ length: 1 + random.below(12) }, () => document(random));
  const seed = random.below(1_000_000);
  for (const text of expressions) {
    const expr = exprOf(text);
    if (!expr) continue;
    for (const form of [0, 2, 10]) {
      // Each side has a batch of its own: none profits from what the other has read.
      const [one, other] = [0, 1].map(() => batchOf(new SeededRandom(seed), documents, form));
      check(one!, other!, expr, text);
    }
  }
}

test('compiled expressions give the values and warnings of the interpreter', () => {
  fuzz(101, random => step(random, same, source => expression(source, 3)));
});

test('predicates over columns select the rows of the interpreter, with its warnings', () => {
  fuzz(202, random => step(random, selectsSame, source => expression(source, 3)));
});

test('comparisons of fields with constants in all combinations are the interpreter’s', () => {
  const atom = (random: SeededRandom): string =>
    pick(random, [
      () => `${field(random)} ${pick(random, ['==', '!=', '<', '<=', '>', '>='])} ${literal(random)}`,
      () => `${literal(random)} ${pick(random, ['==', '!=', '<', '<=', '>', '>='])} ${field(random)}`,
      () =>
        `${field(random)} ${pick(random, ['in', 'not in'])} [${literal(random)}, ${literal(random)}, ${literal(random)}]`,
      () => field(random),
      () => `to_upper(${field(random)}) == "A"`,
    ])();
  const tree = (random: SeededRandom, depth: number): string => {
    if (depth === 0 || random.below(3) === 0) return `(${atom(random)})`;
    if (random.below(4) === 0) return `(not ${tree(random, depth - 1)})`;
    return `(${tree(random, depth - 1)} ${pick(random, ['and', 'or'])} ${tree(random, depth - 1)})`;
  };
  fuzz(303, random => step(random, selectsSame, source => tree(source, 3)));
});
