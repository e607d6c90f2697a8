/**
 * Arguments of operators, declared once: `s.string('Topic to read.').positional()`. The declaration gives the TypeScript
 * type of what `create` and `lower` receive, the check of the user's text, completion and the reference pages.
 *
 * Constants (`string`, `int`, `duration`, …) may be written as any expression without fields: they are evaluated once,
 * when the pipeline starts, and arrive as plain values. `expression`, `field`, `assignments`, `pipeline` arrive as
 * parts of the plan.
 */
import { Duration, RecordValue, Secret, Time, type Value } from '../data/index.ts';
import type { Assignment, Expr, FieldExpr } from './expression.ts';
import type { AggregateCall, Chain, NamedExpr } from './plan.ts';

/** A secret or plain text, unwrapped only where it is used. */
export type SecretText = string | Secret;

export type ConstantKind =
  | 'string'
  | 'secret'
  | 'int'
  | 'uint'
  | 'float'
  | 'bool'
  | 'duration'
  | 'time'
  | 'record'
  | 'list'
  | 'value';

export type PlanKind =
  | 'expression'
  | 'field'
  | 'assignments'
  | 'selection'
  | 'groups_and_aggregates'
  | 'pipeline'
  | 'variable';

export type ArgumentKind = ConstantKind | PlanKind;

/** What lowering hands over: constants still as expressions. */
export type ArgumentValue =
  | { readonly kind: 'constant'; readonly exprs: readonly Expr[] }
  | { readonly kind: 'expression'; readonly exprs: readonly Expr[] }
  | { readonly kind: 'fields'; readonly fields: readonly FieldExpr[] }
  | { readonly kind: 'assignments'; readonly assignments: readonly Assignment[] }
  | { readonly kind: 'summary'; readonly summary: Summary }
  | { readonly kind: 'pipeline'; readonly chain: Chain }
  | { readonly kind: 'variable'; readonly name: string; readonly expr: Expr };

export interface Summary {
  readonly groups: readonly NamedExpr[];
  readonly aggregates: readonly AggregateCall[];
  readonly order: readonly ('group' | 'aggregate')[];
}

export interface ArgumentShape {
  readonly kind: ArgumentKind;
  readonly doc: string;
  readonly isPositional: boolean;
  /** Takes all remaining positional arguments. */
  readonly isVariadic: boolean;
  readonly isRequired: boolean;
  readonly default: unknown;
  /** Other spellings, older versions' among them. */
  readonly aliases: readonly string[];
}

/** `T` is what the operator receives. */
export class Argument<T> {
  declare readonly type: T;
  readonly shape: ArgumentShape;

  constructor(shape: ArgumentShape) {
    this.shape = shape;
  }

  /** Given by position, in the order of declaration; its name works as well. */
  positional(): Argument<T> {
    return new Argument({ ...this.shape, isPositional: true });
  }

  optional(): Argument<T | undefined> {
    return new Argument({ ...this.shape, isRequired: false });
  }

  default(value: T): Argument<T> {
    return new Argument({ ...this.shape, isRequired: false, default: value });
  }

  alias(...names: string[]): Argument<T> {
    return new Argument({ ...this.shape, aliases: [...this.shape.aliases, ...names] });
  }

  /** All remaining positional arguments. */
  variadic(): Argument<readonly T[]> {
    return new Argument({ ...this.shape, isPositional: true, isVariadic: true });
  }
}

function declare<T>(kind: ArgumentKind): (doc: string) => Argument<T> {
  return doc =>
    new Argument({
      kind,
      doc,
      isPositional: false,
      isVariadic: false,
      isRequired: true,
      default: undefined,
      aliases: [],
    });
}

export const s = {
  string: declare<string>('string'),
  /** Takes `secret("…")` or plain text. */
  secret: declare<SecretText>('secret'),
  /** 64-bit signed, exact within ±2^53 (checked). */
  int: declare<number>('int'),
  uint: declare<number>('uint'),
  float: declare<number>('float'),
  bool: declare<boolean>('bool'),
  /** Milliseconds. */
  duration: declare<number>('duration'),
  /** Milliseconds since 1970. */
  time: declare<number>('time'),
  record: declare<ReadonlyMap<string, Value>>('record'),
  list: declare<readonly Value[]>('list'),
  /** Any constant. */
  value: declare<Value>('value'),
  /** Evaluated for each event. */
  expression: declare<Expr>('expression'),
  field: declare<FieldExpr>('field'),
  /** `a=1, b.c=x`: all remaining arguments. */
  assignments: declare<readonly Assignment[]>('assignments'),
  /** `a, b.c, d=x` as in `select`: all remaining arguments, a bare field stands for itself. */
  selection: declare<readonly Assignment[]>('selection'),
  /** `g, n=count(), sum(x)` as in `summarize`: all remaining arguments. */
  groupsAndAggregates: declare<Summary>('groups_and_aggregates'),
  /** A braced body. */
  pipeline: declare<Chain>('pipeline'),
  /** A `$` variable bound by `let`. */
  variable: declare<{ readonly name: string; readonly expr: Expr }>('variable'),
};

export type Arguments = Readonly<Record<string, Argument<unknown>>>;

export type ArgumentsOf<A extends Arguments> = { readonly [K in keyof A]: A[K]['type'] };

export const CONSTANT_KINDS: ReadonlySet<ArgumentKind> = new Set<ArgumentKind>([
  'string',
  'secret',
  'int',
  'uint',
  'float',
  'bool',
  'duration',
  'time',
  'record',
  'list',
  'value',
]);

/** What an operator receives for a constant; undefined when the value is not of the kind. */
export function fromValue(kind: ArgumentKind, value: Value): unknown {
  if (!CONSTANT_KINDS.has(kind) || kind === 'value') return value;
  switch (kind) {
    case 'string':
      return typeof value === 'string' ? value : undefined;
    case 'secret':
      return typeof value === 'string' || value instanceof Secret ? value : undefined;
    case 'int':
    case 'uint': {
      if (typeof value !== 'bigint' || (kind === 'uint' && value < 0n)) return undefined;
      const number = Number(value);
      return Number.isSafeInteger(number) ? number : undefined;
    }
    case 'float':
      return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;
    case 'bool':
      return typeof value === 'boolean' ? value : undefined;
    case 'duration':
      return value instanceof Duration ? value.ms : undefined;
    case 'time':
      return value instanceof Time ? value.ms : undefined;
    case 'record':
      return value instanceof RecordValue ? new Map(value.entries()) : undefined;
    default:
      return Array.isArray(value) ? value : undefined;
  }
}
