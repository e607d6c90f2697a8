/** What every function does with null, empty and wrong arguments, at each of its parameters. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeIo } from '../../src/base/io/node.ts';
import { builtins } from '../../src/builtins/index.ts';
import {
  Blob,
  Duration,
  printTql,
  readIp,
  readSubnet,
  RecordValue,
  Secret,
  Time,
  typeOf,
  type Value,
} from '../../src/data/index.ts';
import { Environment } from '../../src/engine/environment.ts';
import { Compiler } from '../../src/engine/expression/compiler.ts';
import type { CallExpr, Expr, FunctionDefinition, Parameter, ValueType } from '../../src/sdk/index.ts';

/** A value of each type, and an empty or extreme one. */
const SAMPLES: Readonly<Record<Exclude<ValueType, 'any' | 'lambda' | 'number'>, readonly Value[]>> = {
  bool: [true, false],
  int: [2n, 0n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 64n - 1n],
  float: [1.5, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e300],
  string: ['2', '', '\0', 'ß😀'],
  blob: [new Blob(new Uint8Array([0x31])), new Blob(new Uint8Array(0))],
  time: [new Time(1n), new Time(-(2n ** 63n)), new Time(2n ** 63n - 1n)],
  duration: [new Duration(1n), new Duration(0n), new Duration(-(2n ** 63n))],
  ip: [readIp('10.0.0.1')!, readIp('::')!],
  subnet: [readSubnet('10.0.0.0/8')!, readSubnet('::/0')!],
  secret: [new Secret('x')],
  list: [['a'], []],
  record: [new RecordValue([['a', 1n]]), new RecordValue()],
};
const ALL = Object.values(SAMPLES).flat();

function typesOf({ type }: Parameter): readonly ValueType[] {
  return typeof type === 'string' ? [type] : type;
}

function takes(parameter: Parameter, value: Value): boolean {
  const names: Readonly<Record<string, ValueType>> = { int64: 'int', uint64: 'int', double: 'float' };
  const actual = names[typeOf(value)] ?? (typeOf(value) as ValueType);
  const isNumber = actual === 'int' || actual === 'float';
  return typesOf(parameter).some(type => type === 'any' || type === actual || (type === 'number' && isNumber));
}

function sampleOf(parameter: Parameter): Value {
  return ALL.find(value => takes(parameter, value))!;
}

const span = { start: 0, end: 0 };

function call(
  definition: FunctionDefinition,
  args: ReadonlyMap<Parameter, Value>,
): { value: Value; warnings: string[] } {
  const constant = (value: Value): Expr => ({ kind: 'constant', value, span });
  const positional = definition.parameters.filter(({ isNamed }) => isNamed !== true);
  const expr: CallExpr = {
    kind: 'call',
    function: definition.name,
    // A parameter that may be left out is given by its name: those before it may be absent.
    args: positional.filter(({ isOptional }) => isOptional !== true).map(parameter => constant(args.get(parameter)!)),
    named: Object.fromEntries(
      definition.parameters
        .filter(parameter => (parameter.isNamed === true || parameter.isOptional === true) && args.has(parameter))
        .map(parameter => [parameter.name, constant(args.get(parameter)!)]),
    ),
    span,
  };
  const warnings: string[] = [];
  const compiler = new Compiler({
    registry: builtins,
    environment: new Environment(),
    host: { io: nodeIo(), service: () => undefined, warn: ({ message }) => void warnings.push(message) },
    span,
    onWarning: () => undefined,
  });
  return { value: compiler.constant(expr), warnings };
}

for (const definition of builtins.functions.values()) {
  if (definition.parameters.length === 0 || definition.name === 'secret') continue;
  const required = definition.parameters.filter(parameter => !parameter.isOptional && !parameter.isNamed);
  const samples = new Map(required.map(parameter => [parameter, sampleOf(parameter)]));

  test(`${definition.name}: null is null without a warning, a wrong type null with one`, () => {
    for (const parameter of definition.parameters) {
      const { value, warnings } = call(definition, new Map([...samples, [parameter, null]]));
      if (definition.takesNulls !== true) assert.deepEqual([value, warnings], [null, []], `${parameter.name}=null`);
      for (const wrong of ALL.filter(candidate => !takes(parameter, candidate))) {
        const refused = call(definition, new Map([...samples, [parameter, wrong]]));
        const expected = `\`${definition.name}\` expected \`${typesOf(parameter).join(' or ')}\`, got \`${typeOf(wrong)}\``;
        assert.deepEqual([refused.value, refused.warnings], [null, [expected]], `${parameter.name}=${printTql(wrong)}`);
      }
    }
  });

  test(`${definition.name}: takes all values of its types without failing, and warns at most once`, () => {
    for (const parameter of definition.parameters) {
      for (const value of ALL.filter(candidate => takes(parameter, candidate))) {
        const given = `${parameter.name}=${printTql(value)}`;
        const { value: result, warnings } = call(definition, new Map([...samples, [parameter, value]]));
        assert.ok(warnings.length <= 1, given);
        // What could not be done is null: a value never comes with a warning.
        if (warnings.length > 0) assert.equal(result, null, given);
      }
    }
  });
}
