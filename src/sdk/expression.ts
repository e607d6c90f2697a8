/**
 * Expressions of a plan, the same for TQL and SQL. Front ends make them, the engine runs them twice: by the row
 * interpreter (the reference) and compiled over columns.
 *
 * Differences of meaning between languages are operations, never a dialect flag: `equal` is TQL's total equality;
 * three-valued equality will be an operation of its own.
 *
 * Invariants
 * I1 every expression carries the span of the text it came from, so that a warning has a place.
 * I2 a `field` reads from the event (`this`); nothing else does but `this`, `meta` and `move`.
 * I3 a `variable` is bound before the pipeline starts and never changes while it runs.
 */
import type { Span } from '../base/index.ts';
import type { Value } from '../data/index.ts';

/** `@topic` and so on: what a source of records knows of each; null for events from elsewhere. */
export const RECORD_METADATA = ['topic', 'partition', 'offset', 'timestamp', 'key', 'headers'] as const;
export type RecordMetadata = (typeof RECORD_METADATA)[number];

export type ArithmeticOperation = 'add' | 'subtract' | 'multiply' | 'divide';
export type ComparisonOperation = 'equal' | 'not_equal' | 'less' | 'less_equal' | 'greater' | 'greater_equal';
export type MembershipOperation = 'in' | 'not_in';
export type BinaryOperation = ArithmeticOperation | ComparisonOperation | MembershipOperation;

export type RecordItem =
  | { readonly kind: 'entry'; readonly key: string; readonly value: Expr }
  | { readonly kind: 'spread'; readonly value: Expr };

export type ListItem =
  | { readonly kind: 'element'; readonly value: Expr }
  | { readonly kind: 'spread'; readonly value: Expr };

interface Spanned {
  readonly span: Span;
}

export type ConstantExpr = Spanned & { readonly kind: 'constant'; readonly value: Value };
interface Path {
  readonly path: readonly string[];
  /** A `?`: a missing one is no surprise. */
  readonly quiet: boolean;
  /** Where each name stands, for warnings. */
  readonly places: readonly Span[];
}
/** A field of the event by a path of names. */
export type FieldExpr = Spanned & Path & { readonly kind: 'field' };
/** The field's value; the assignment that contains it removes the field from the event. */
export type MoveExpr = Spanned & Path & { readonly kind: 'move' };
export type CallExpr = Spanned & {
  readonly kind: 'call';
  readonly function: string;
  readonly args: readonly Expr[];
  readonly named: Readonly<Record<string, Expr>>;
};
export type LambdaExpr = Spanned & {
  readonly kind: 'lambda';
  readonly parameters: readonly string[];
  readonly body: Expr;
};

export type Expr =
  | ConstantExpr
  | FieldExpr
  | MoveExpr
  | CallExpr
  | LambdaExpr
  | (Spanned & { readonly kind: 'variable'; readonly name: string })
  | (Spanned & { readonly kind: 'parameter'; readonly name: string })
  | (Spanned & { readonly kind: 'this' })
  | (Spanned & { readonly kind: 'meta'; readonly name: string })
  | (Spanned & {
      readonly kind: 'member';
      readonly base: Expr;
      readonly name: string;
      readonly quiet: boolean;
      readonly place: Span;
    })
  | (Spanned & { readonly kind: 'index'; readonly base: Expr; readonly index: Expr; readonly quiet: boolean })
  | (Spanned & { readonly kind: 'negate' | 'plus' | 'not'; readonly operand: Expr })
  | (Spanned & {
      readonly kind: 'binary';
      readonly operation: BinaryOperation;
      readonly left: Expr;
      readonly right: Expr;
    })
  | (Spanned & { readonly kind: 'logic'; readonly operation: 'and' | 'or'; readonly left: Expr; readonly right: Expr })
  /** `low..high` of a pattern: strictly between; false for what has no order with the bounds. */
  | (Spanned & { readonly kind: 'between'; readonly value: Expr; readonly low: Expr; readonly high: Expr })
  /** `then if condition else otherwise`; without `otherwise` a false or null condition gives null. */
  | (Spanned & {
      readonly kind: 'choose';
      readonly condition: Expr;
      readonly then: Expr;
      readonly otherwise: Expr | undefined;
    })
  /** `value else fallback`: the fallback where the value is null. */
  | (Spanned & { readonly kind: 'fallback'; readonly value: Expr; readonly fallback: Expr })
  | (Spanned & { readonly kind: 'record'; readonly items: readonly RecordItem[] })
  | (Spanned & { readonly kind: 'list'; readonly items: readonly ListItem[] })
  /** A format string: literal texts and expressions in their order. */
  | (Spanned & { readonly kind: 'format'; readonly parts: readonly (string | Expr)[] });

/**
 * Where an assignment puts its value: a path of names, the whole event (empty path), a path with keys that are computed on
 * the original event, or the schema name.
 */
export type AssignmentTarget =
  | { readonly kind: 'path'; readonly path: readonly string[]; readonly span: Span }
  | { readonly kind: 'dynamic'; readonly steps: readonly (string | Expr)[]; readonly span: Span }
  | { readonly kind: 'meta'; readonly name: string; readonly span: Span };

export interface Assignment {
  readonly target: AssignmentTarget;
  readonly value: Expr;
}

/** Calls `visit` for the expression and everything inside it, parents first. */
export function walkExpr(expr: Expr, visit: (expr: Expr) => void): void {
  visit(expr);
  for (const child of childrenOf(expr)) walkExpr(child, visit);
}

/** Whether the value may differ from event to event. */
export function readsEvent(expr: Expr): boolean {
  if (expr.kind === 'field' || expr.kind === 'this' || expr.kind === 'meta' || expr.kind === 'move') return true;
  return childrenOf(expr).some(readsEvent);
}

export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'constant':
    case 'field':
    case 'move':
    case 'variable':
    case 'parameter':
    case 'this':
    case 'meta':
      return [];
    case 'call':
      return [...expr.args, ...Object.values(expr.named)];
    case 'lambda':
      return [expr.body];
    case 'member':
      return [expr.base];
    case 'index':
      return [expr.base, expr.index];
    case 'negate':
    case 'plus':
    case 'not':
      return [expr.operand];
    case 'binary':
    case 'logic':
      return [expr.left, expr.right];
    case 'between':
      return [expr.value, expr.low, expr.high];
    case 'choose':
      return expr.otherwise ? [expr.condition, expr.then, expr.otherwise] : [expr.condition, expr.then];
    case 'fallback':
      return [expr.value, expr.fallback];
    case 'record':
    case 'list':
      return expr.items.map(item => item.value);
    case 'format':
      return expr.parts.filter(part => typeof part !== 'string');
  }
}
