/**
 * `match`: arms from top to bottom as branches, each behind the "else" of the one before.
 *
 *   value      equal to the subject; a value of another type is simply another value
 *   lo..hi     strictly between both ends; what has no order with them does not match
 *   a | b      either; with a guard both the pattern and the guard must hold
 *   _          anything; the last arm is one without a guard, so that no event is left over
 *
 * The subject is evaluated by each arm that asks, so it must give the same value every time.
 */
import type { Diagnostic, Span } from '../../base/index.ts';
import { compare, typeOf } from '../../data/index.ts';
import {
  type Chain,
  childrenOf,
  type Expr,
  type Node,
  readsEvent,
  type Registry,
  type Stage,
} from '../../sdk/index.ts';
import type { Arm, Expression, Pattern, Pipeline, Statement } from './ast.ts';
import { literalValue } from './constants.ts';
import { diagnose } from './errors.ts';

type MatchStatement = Extract<Statement, { kind: 'match' }>;

export interface MatchContext {
  readonly registry: Registry;
  readonly lets: ReadonlyMap<string, Expr>;
  expression(expression: Expression): Expr;
  body(pipeline: Pipeline, prefix: string): Chain;
  report(diagnostic: Diagnostic): void;
}

export function lowerMatch(statement: MatchStatement, id: string, context: MatchContext): Stage | undefined {
  const { arms, span } = statement;
  const subject = context.expression(statement.subject);
  if (!isPure(subject, context.registry)) context.report(diagnose('impureSubject', subject.span));
  const last = arms.at(-1);
  const isClosed = last !== undefined && last.guard === undefined && last.patterns.some(({ kind }) => kind === 'any');
  if (!isClosed && statement.isWhole)
    context.report(diagnose('openMatch', last?.span ?? { start: span.start, end: span.start + 5 }));
  const bodies = arms.map((arm, i) => context.body(arm.body, `${id}.arm${i + 1}.`));
  const conditions = arms.map(arm => conditionOf(arm, subject, context));
  if (!isClosed) return undefined;
  let otherwise = bodies.at(-1)!;
  for (let i = arms.length - 2; i >= 0; i--) {
    const isFirst = i === 0;
    const stageId = isFirst ? id : `${id}.arm${i + 1}`;
    otherwise = [branch(stageId, isFirst ? span : arms[i]!.span, conditions[i]!, bodies[i]!, otherwise)];
  }
  if (arms.length > 1) return otherwise[0];
  return branch(id, span, { kind: 'constant', value: true, span }, otherwise, []);
}

function branch(id: string, span: Span, condition: Expr, then: Chain, otherwise: Chain): Stage {
  const isClosed = (chain: Chain): boolean => chain.at(-1)?.output === 'void';
  const isSink = isClosed(then) && isClosed(otherwise);
  const node: Node = { kind: 'branch', condition, then, otherwise };
  return { id, name: 'match', span, input: 'events', output: isSink ? 'void' : 'events', node };
}

function conditionOf(arm: Arm, subject: Expr, context: MatchContext): Expr {
  const tests = arm.patterns.map(pattern => testOf(pattern, subject, context));
  const any = tests.reduce((left, right) => logic('or', left, right));
  return arm.guard ? logic('and', any, context.expression(arm.guard)) : any;
}

function logic(operation: 'and' | 'or', left: Expr, right: Expr): Expr {
  return { kind: 'logic', operation, left, right, span: { start: left.span.start, end: right.span.end } };
}

function testOf(pattern: Pattern, subject: Expr, context: MatchContext): Expr {
  const { span } = pattern;
  if (pattern.kind === 'any') return { kind: 'constant', value: true, span };
  if (pattern.kind === 'shape') {
    context.report(diagnose('notYet', span, { what: 'a pattern that takes a record or list apart' }));
    return { kind: 'constant', value: false, span };
  }
  if (pattern.kind === 'value') {
    return { kind: 'binary', operation: 'equal', left: subject, right: constant(pattern.value, context), span };
  }
  const [low, high] = [constant(pattern.low, context), constant(pattern.high, context)];
  const [from, to] = [literalValue(low, context.lets), literalValue(high, context.lets)];
  const isKnown = from !== undefined && to !== undefined;
  if (isKnown && (from === null || to === null || compare(from, to) === undefined))
    context.report(diagnose('rangeOrder', span, { low: typeOf(from), high: typeOf(to) }));
  return { kind: 'between', value: subject, low, high, span };
}

function constant(expression: Expression, context: MatchContext): Expr {
  const expr = context.expression(expression);
  if (readsEvent(expr)) context.report(diagnose('patternNotConstant', expr.span));
  return expr;
}

function isPure(expr: Expr, registry: Registry): boolean {
  if (expr.kind === 'call' && registry.functions.get(expr.function)?.isPure === false) return false;
  return childrenOf(expr).every(child => isPure(child, registry));
}
