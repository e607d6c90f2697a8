/**
 * Columns against constants, without making values: which rows of a column hold, which do not, and which only the row
 * form can tell. This is the plain form; the kernel's (`assembly/compare.ts`) gives the same verdicts.
 *
 * Invariants
 * I1 a verdict other than `undecided` is that of `equals` and `compare` for the row's value, and comes without a warning:
 *    equality of different types is false, order with null is null. Where texts are inferred, a text may be any value.
 * I2 int64 against double is exact: nothing is rounded.
 */
import type { ByteStore } from './byte-store.ts';
import { type Column, TAG } from './column.ts';
import { inferText } from './infer.ts';

export type Comparison = 'equal' | 'not_equal' | 'less' | 'less_equal' | 'greater' | 'greater_equal';
export type Constant = number | bigint | string | boolean | null;
/** One `VERDICT` a row of the column. */
export type Verdicts = Uint8Array;

export const VERDICT = {
  false: 0,
  true: 1,
  null: 2,
  /** The field is missing or repeated, has escapes or digits beyond int64, or has no order with the constant. */
  undecided: 3,
} as const;

const LESS = 1;
const EQUAL = 2;
const GREATER = 4;

/** For which orders of value and constant an operation holds. */
const HOLDS: Readonly<Record<Comparison, number>> = {
  equal: EQUAL,
  not_equal: LESS | GREATER,
  less: LESS,
  less_equal: LESS | EQUAL,
  greater: GREATER,
  greater_equal: GREATER | EQUAL,
};

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;

export type ComparisonPlan =
  | {
      readonly kind: 'number';
      readonly bits: number;
      /** The constant is `whole`, else `float`. */
      readonly isWhole: boolean;
      readonly whole: bigint;
      readonly float: number;
      /** Verdicts of values that are no number, and of null. */
      readonly other: number;
      readonly none: number;
    }
  | { readonly kind: 'text'; readonly bits: number; readonly text: Uint8Array }
  | { readonly kind: 'tag'; readonly bits: number; readonly tag: number; readonly text: number };

/**
 * Undefined where columns cannot help: order of strings or bools, integers beyond int64, NaN, a text that would be inferred
 * to something else.
 */
export function planComparison(operation: Comparison, constant: Constant, infers: boolean): ComparisonPlan | undefined {
  const bits = HOLDS[operation];
  const isEquality = operation === 'equal' || operation === 'not_equal';
  const differs = operation === 'not_equal' ? VERDICT.true : VERDICT.false;
  if (typeof constant === 'bigint' || typeof constant === 'number') {
    const isWhole = typeof constant === 'bigint';
    if (isWhole ? constant < INT_MIN || constant > INT_MAX : Number.isNaN(constant)) return undefined;
    return {
      kind: 'number',
      bits,
      isWhole,
      whole: isWhole ? constant : 0n,
      float: isWhole ? 0 : constant,
      other: isEquality && !infers ? differs : VERDICT.undecided,
      none: isEquality ? differs : VERDICT.null,
    };
  }
  if (!isEquality) return undefined;
  if (typeof constant === 'string') {
    return infers && inferText(constant) !== constant ? undefined : { kind: 'text', bits, text: Buffer.from(constant) };
  }
  // No text is inferred to null.
  const text = infers && constant !== null ? VERDICT.undecided : differs;
  return { kind: 'tag', bits, tag: constant === null ? TAG.null : constant ? TAG.true : TAG.false, text };
}

export interface CompareOptions {
  /** Texts may stand for other values (`inferText`). */
  readonly infers?: boolean;
  /** Rows of the column that are asked for; all of them where absent. */
  readonly rows?: Uint32Array | undefined;
}

/** A verdict for each row asked for. */
export function compareByReference(
  store: ByteStore,
  column: Column,
  operation: Comparison,
  constant: Constant,
  { infers = false, rows }: CompareOptions = {},
): Verdicts | undefined {
  const plan = planComparison(operation, constant, infers);
  if (!plan) return undefined;
  const verdicts = new Uint8Array(rows ? rows.length : column.tags.length);
  for (let i = 0; i < verdicts.length; i++) verdicts[i] = verdictOf(plan, store, column, rows ? rows[i]! : i);
  return verdicts;
}

function verdictOf(plan: ComparisonPlan, store: ByteStore, column: Column, row: number): number {
  const differs = plan.bits & EQUAL ? VERDICT.false : VERDICT.true;
  const tag = column.tags[row]!;
  if (tag === TAG.missing || tag === TAG.repeated) return VERDICT.undecided;
  if (plan.kind === 'number') return numberVerdict(plan, column, row);
  if (plan.kind === 'tag') {
    if (tag === plan.tag) return 1 - differs;
    return tag === TAG.string || tag === TAG.escaped ? plan.text : differs;
  }
  if (tag === TAG.escaped || tag === TAG.text) return VERDICT.undecided;
  return tag === TAG.string && isText(store, column, row, plan.text) ? 1 - differs : differs;
}

function numberVerdict(plan: ComparisonPlan & { kind: 'number' }, column: Column, row: number): number {
  const tag = column.tags[row]!;
  if (tag === TAG.text) return VERDICT.undecided;
  if (tag === TAG.null) return plan.none;
  if (tag !== TAG.int && tag !== TAG.float) return plan.other;
  const value = tag === TAG.int ? column.ints[row]! : column.floats[row]!;
  const limit = plan.isWhole ? plan.whole : plan.float;
  // JavaScript compares a bigint with a double exactly.
  const order = value < limit ? LESS : value > limit ? GREATER : EQUAL;
  return plan.bits & order ? VERDICT.true : VERDICT.false;
}

function isText(store: ByteStore, column: Column, row: number, text: Uint8Array): boolean {
  if (column.spans[2 * row + 1] !== text.length) return false;
  const offset = column.spans[2 * row]!;
  for (let i = 0; i < text.length; i++) if (store.bytes[offset + i] !== text[i]) return false;
  return true;
}
