/**
 * From what lowering handed over to what an operator receives: constants are evaluated and checked against the kind that
 * the operator declared; expressions, fields and bodies pass through.
 */
import { typeOf } from '../data/index.ts';
import { type ArgumentShape, type ArgumentValue, fromValue, type OperatorDefinition } from '../sdk/index.ts';
import { engineErrors } from './errors.ts';
import type { Compiler } from './expression/compiler.ts';

export function bindArguments(
  definition: OperatorDefinition,
  given: Readonly<Record<string, ArgumentValue>>,
  compiler: Compiler,
): Record<string, unknown> {
  const args: Record<string, unknown> = {};
  for (const [name, { shape }] of Object.entries(definition.args)) {
    const value = given[name];
    args[name] = value ? bind(definition.name, name, shape, value, compiler) : shape.isVariadic ? [] : shape.default;
  }
  return args;
}

function bind(operator: string, name: string, shape: ArgumentShape, value: ArgumentValue, compiler: Compiler): unknown {
  switch (value.kind) {
    case 'constant': {
      const values = value.exprs.map(expr => {
        const constant = compiler.constant(expr);
        const bound = fromValue(shape.kind, constant);
        if (bound !== undefined) return bound;
        throw engineErrors.wrongArgumentType({
          argument: name,
          operator,
          expected: shape.kind,
          actual: typeOf(constant),
        });
      });
      return shape.isVariadic ? values : values[0];
    }
    case 'expression':
      return shape.isVariadic ? value.exprs : value.exprs[0];
    case 'fields':
      return shape.isVariadic ? value.fields : value.fields[0];
    case 'assignments':
      return value.assignments;
    case 'summary':
      return value.summary;
    case 'pipeline':
      return value.chain;
    case 'variable':
      return { name: value.name, expr: value.expr };
  }
}
