/**
 * From the syntax of expressions to expressions of the plan, with every check that needs no running pipeline: functions
 * and their arguments, variables, `move`.
 */
import type { Diagnostic } from '../../base/index.ts';
import { nearest } from '../../base/index.ts';
import {
  type BinaryOperation,
  type CallExpr,
  childrenOf,
  type Expr,
  type ListItem,
  type Parameter,
  RECORD_METADATA,
  type RecordItem,
  type Registry,
} from '../../sdk/index.ts';
import type { Argument, BinaryOperator, Expression } from './ast.ts';
import { diagnose } from './errors.ts';
import { PLANNED_FUNCTIONS } from './planned.ts';

const OPERATIONS: Readonly<Partial<Record<BinaryOperator, BinaryOperation>>> = {
  '*': 'multiply',
  '/': 'divide',
  '+': 'add',
  '-': 'subtract',
  '==': 'equal',
  '!=': 'not_equal',
  '<': 'less',
  '<=': 'less_equal',
  '>': 'greater',
  '>=': 'greater_equal',
  in: 'in',
  'not in': 'not_in',
};

const NOUNS = { underscore: '`_`', pipeline: 'a pipeline', assignment: 'an assignment' } as const;

export interface ExpressionContext {
  readonly registry: Registry;
  readonly variables: ReadonlySet<string>;
  readonly canMove: boolean;
  report(diagnostic: Diagnostic): void;
}

/** What stands for an expression that is wrong: it may be anything, so that nothing more is told of it. */
export function unknown(span: Expr['span']): Expr {
  return { kind: 'variable', name: '', span };
}

export function isUnknown(expr: Expr): boolean {
  return (expr.kind === 'variable' && expr.name === '') || childrenOf(expr).some(isUnknown);
}

export function lowerExpression(
  expression: Expression,
  context: ExpressionContext,
  parameters: readonly string[] = [],
): Expr {
  const lower = (inner: Expression): Expr => lowerExpression(inner, context, parameters);
  const { span } = expression;
  switch (expression.kind) {
    case 'literal':
      return { kind: 'constant', value: expression.value, span };
    case 'format':
      return {
        kind: 'format',
        parts: expression.parts.map(part => (typeof part === 'string' ? part : lower(part))),
        span,
      };
    case 'name':
      if (parameters.includes(expression.name)) return { kind: 'parameter', name: expression.name, span };
      return { kind: 'field', path: [expression.name], quiet: false, places: [span], span };
    case 'variable':
      if (expression.package !== undefined)
        context.report(diagnose('notYet', span, { what: 'a constant of a package' }));
      if (expression.package !== undefined) return unknown(span);
      if (!context.variables.has(expression.name)) {
        const near = nearest(expression.name, context.variables);
        const hints = near === undefined ? [] : [`did you mean \`$${near}\`?`];
        context.report(diagnose('unknownVariable', span, { name: expression.name }, { hints }));
        return unknown(span);
      }
      return { kind: 'variable', name: expression.name, span };
    case 'meta':
      if (expression.name === 'import_time' || expression.name === 'internal')
        context.report(diagnose('notYet', span, { what: `\`@${expression.name}\`` }));
      else if (expression.name !== 'name' && !(RECORD_METADATA as readonly string[]).includes(expression.name))
        context.report(diagnose('unknownMeta', span, { name: expression.name }));
      return { kind: 'meta', name: expression.name, span };
    case 'this':
      return { kind: 'this', span };
    case 'list':
      return {
        kind: 'list',
        items: expression.items.map(
          ({ isSpread, value }): ListItem => ({ kind: isSpread ? 'spread' : 'element', value: lower(value) }),
        ),
        span,
      };
    case 'record':
      return {
        kind: 'record',
        items: expression.fields.map(
          (field): RecordItem =>
            field.kind === 'entry'
              ? { kind: 'entry', key: field.key, value: lower(field.value) }
              : { kind: 'spread', value: lower(field.value) },
        ),
        span,
      };
    case 'call':
      return lowerCall(
        expression.name,
        expression.nameSpan,
        expression.args,
        undefined,
        expression,
        context,
        parameters,
      );
    case 'method':
      return lowerCall(
        expression.name,
        expression.nameSpan,
        expression.args,
        expression.base,
        expression,
        context,
        parameters,
      );
    case 'member':
      return member(lower(expression.base), expression.name, expression.nameSpan, span);
    case 'index': {
      const base = lower(expression.base);
      const index = lower(expression.index);
      if (
        index.kind === 'constant' &&
        typeof index.value === 'string' &&
        (base.kind === 'this' || base.kind === 'field')
      )
        return member(base, index.value, index.span, span);
      return { kind: 'index', base, index, quiet: false, span };
    }
    case 'quiet':
      return quietly(lower(expression.base), span);
    case 'unary':
      return lowerUnary(expression, context, lower);
    case 'binary': {
      const left = lower(expression.left);
      const right = lower(expression.right);
      const { operator } = expression;
      if (operator === 'and' || operator === 'or') return { kind: 'logic', operation: operator, left, right, span };
      return { kind: 'binary', operation: OPERATIONS[operator]!, left, right, span };
    }
    case 'choose':
      return {
        kind: 'choose',
        condition: lower(expression.condition),
        then: lower(expression.then),
        otherwise: expression.otherwise && lower(expression.otherwise),
        span,
      };
    case 'fallback':
      return { kind: 'fallback', value: lower(expression.value), fallback: lower(expression.fallback), span };
    case 'lambda':
      // Only a function takes one.
      context.report(diagnose('notYet', span, { what: 'a lambda that is no argument of a function' }));
      return unknown(span);
    case 'underscore':
    case 'pipeline':
    case 'assignment':
      context.report(diagnose('expected', span, { what: 'an expression', got: NOUNS[expression.kind] }));
      return unknown(span);
    // Patterns with a `..` are no expressions, and never come here.
    case 'rest':
    case 'bad':
      return unknown(span);
  }
}

/** A missing field is no surprise. Of a path all steps are meant: `a?.b?` as well as `a.b?`. */
function quietly(expr: Expr, span: Expr['span']): Expr {
  if (expr.kind === 'member' && expr.base.kind === 'field') {
    const { base, name, place } = expr;
    return { ...base, path: [...base.path, name], places: [...base.places, place], quiet: true, span };
  }
  const canMiss = expr.kind === 'field' || expr.kind === 'member' || expr.kind === 'index' || expr.kind === 'move';
  return canMiss ? { ...expr, quiet: true, span } : expr;
}

/** Fields of fields are one path. Behind a `?` a path begins anew: of `a?.b` only `a` may be missing without a warning. */
function member(base: Expr, name: string, place: Expr['span'], span: Expr['span']): Expr {
  if (base.kind === 'this') return { kind: 'field', path: [name], quiet: false, places: [place], span };
  if (base.kind === 'field' && !base.quiet) {
    return { ...base, path: [...base.path, name], places: [...base.places, place], span };
  }
  return { kind: 'member', base, name, quiet: false, place, span };
}

/** The same place as a path of names, whatever its `?`; undefined for what is no field. */
export function pathOf(
  expr: Expr,
): { path: readonly string[]; places: readonly Expr['span'][]; quiet: boolean } | undefined {
  if (expr.kind === 'field') return expr;
  const base = expr.kind === 'member' ? pathOf(expr.base) : undefined;
  if (!base || expr.kind !== 'member') return undefined;
  const quiet = base.quiet || expr.quiet;
  return { path: [...base.path, expr.name], places: [...base.places, expr.place], quiet };
}

function lowerUnary(
  expression: Extract<Expression, { kind: 'unary' }>,
  context: ExpressionContext,
  lower: (inner: Expression) => Expr,
): Expr {
  const { operator, span } = expression;
  const operand = lower(expression.operand);
  if (operator === 'move') {
    if (!context.canMove) {
      context.report(diagnose('moveOutside', span));
      return unknown(span);
    }
    const field = pathOf(operand);
    if (field) return { kind: 'move', path: field.path, places: field.places, quiet: field.quiet, span };
    context.report(diagnose('expected', operand.span, { what: 'a field behind `move`', got: 'another expression' }));
    return unknown(span);
  }
  return { kind: operator === '-' ? 'negate' : operator === '+' ? 'plus' : 'not', operand, span };
}

function lowerCall(
  name: string,
  nameSpan: Expr['span'],
  args: readonly Argument[],
  base: Expression | undefined,
  expression: Expression,
  context: ExpressionContext,
  parameters: readonly string[],
): Expr {
  const lower = (inner: Expression): Expr =>
    inner.kind === 'lambda' ? lowerLambda(inner, context, parameters) : lowerExpression(inner, context, parameters);
  const positional = [
    ...(base ? [lower(base)] : []),
    ...args.filter(arg => arg.name === undefined).map(arg => lower(arg.value)),
  ];
  const named: Record<string, Expr> = {};
  for (const arg of args) if (arg.name !== undefined) named[arg.name] = lower(arg.value);
  const { aggregates, functions } = context.registry;
  // The older spelling `a::b` is the same name.
  const known = functions.has(name) || aggregates.has(name) ? name : name.replaceAll('::', '_');
  const call: CallExpr = { kind: 'call', function: known, args: positional, named, span: expression.span };
  const definition = functions.get(known);
  const aggregate = aggregates.get(known);
  if (definition) checkCall(call, definition.parameters, args, nameSpan, context);
  else if (aggregate) {
    const isOptional = aggregate.isArgumentOptional === true;
    checkCall(call, [{ name: 'x', type: 'any', isOptional }], args, nameSpan, context);
  } else if (PLANNED_FUNCTIONS.has(known)) {
    context.report(diagnose('plannedFunction', nameSpan, { name }));
    return unknown(expression.span);
  } else {
    const near = nearest(name, [...functions.keys(), ...aggregates.keys()]);
    const hints = near === undefined ? [] : [`did you mean \`${near}\`?`];
    context.report(diagnose('unknownFunction', nameSpan, { name }, { hints }));
    return unknown(expression.span);
  }
  return call;
}

function lowerLambda(
  lambda: Extract<Expression, { kind: 'lambda' }>,
  context: ExpressionContext,
  parameters: readonly string[],
): Expr {
  const body = lowerExpression(lambda.body, context, [...parameters, ...lambda.parameters]);
  return { kind: 'lambda', parameters: lambda.parameters, body, span: lambda.span };
}

/** What can be told of a call before its values are known: names, number and kind of arguments. */
function checkCall(
  call: CallExpr,
  parameters: readonly Parameter[],
  args: readonly Argument[],
  nameSpan: Expr['span'],
  context: ExpressionContext,
): void {
  const seen = new Set<string>();
  for (const arg of args) {
    const { name } = arg;
    if (name === undefined) continue;
    const place = arg.nameSpan ?? arg.span;
    if (seen.has(name)) context.report(diagnose('repeatedArgument', place, { name }));
    seen.add(name);
    const names = parameters.map(parameter => parameter.name);
    if (names.includes(name)) continue;
    const near = nearest(name, names);
    const hints = near === undefined ? [] : [`did you mean \`${near}\`?`];
    context.report(diagnose('functionArgument', place, { name: call.function, argument: name }, { hints }));
  }
  const positional = parameters.filter(parameter => !parameter.isNamed && !(parameter.name in call.named));
  const required = positional.filter(parameter => !parameter.isOptional).length;
  const given = call.args.length;
  call.args.forEach((arg, i) => {
    if (arg.kind === 'lambda' && positional[i] && !takesLambda(positional[i]))
      context.report(diagnose('noLambda', arg.span, { name: call.function }));
  });
  for (const [name, arg] of Object.entries(call.named)) {
    const parameter = parameters.find(candidate => candidate.name === name);
    if (arg.kind === 'lambda' && parameter && !takesLambda(parameter))
      context.report(diagnose('noLambda', arg.span, { name: call.function }));
  }
  if (given >= required && given <= positional.length) return;
  const noun = positional.length === 1 ? 'argument' : 'arguments';
  const count = required === positional.length ? String(required) : `${required} to ${positional.length}`;
  const expected = `${count} ${noun}`;
  context.report(diagnose('argumentCount', nameSpan, { name: call.function, expected, actual: given }));
}

function takesLambda({ type }: Parameter): boolean {
  return typeof type === 'string' ? type === 'lambda' : type.includes('lambda');
}
