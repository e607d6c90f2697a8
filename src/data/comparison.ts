/**
 * Columns against constants, without making values: which rows of a column hold, which do not, and which only the row
 * form can tell. This is the plain form; the kernel's (`assembly/compare.ts`) gives the same verdicts.
 *
 * Invariants
 * I1 a verdict other than `undecided` is that of `equals` and `compare` for the row's value, and comes without a warning:
 *    equality of different types is false, order with null is null.
 * I2 int64 against double is exact: nothing is rounded.
 */
import type { ByteStore } from './batch.ts';
import { type Column, TAG } from './column.ts';

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
  | { readonly kind: 'tag'; readonly bits: number; readonly tag: number };

/** Undefined where columns cannot help: order of strings or bools, integers beyond int64, NaN. */
export function planComparison(operation: Comparison, constant: Constant): ComparisonPlan | undefined {
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
      other: isEquality ? differs : VERDICT.undecided,
      none: isEquality ? differs : VERDICT.null,
    };
  }
  if (!isEquality) return undefined;
  if (typeof constant === 'string') return { kind: 'text', bits, text: Buffer.from(constant) };
  return { kind: 'tag', bits, tag: constant === null ? TAG.null : constant ? TAG.true : TAG.false };
}

export function compareByReference(
  store: ByteStore,
  column: Column,
  operation: Comparison,
  constant: Constant,
): Verdicts | undefined {
  const plan = planComparison(operation, constant);
  if (!plan) return undefined;
  const verdicts = new Uint8Array(column.tags.length);
  const differs = plan.bits & EQUAL ? VERDICT.false : VERDICT.true;
  for (let row = 0; row < verdicts.length; row++) {
    const tag = column.tags[row]!;
    if (tag === TAG.missing || tag === TAG.repeated) verdicts[row] = VERDICT.undecided;
    else if (plan.kind === 'number') verdicts[row] = numberVerdict(plan, column, row);
    else if (plan.kind === 'tag') verdicts[row] = tag === plan.tag ? 1 - differs : differs;
    else if (tag === TAG.escaped || tag === TAG.text) verdicts[row] = VERDICT.undecided;
    else verdicts[row] = tag === TAG.string && isText(store, column, row, plan.text) ? 1 - differs : differs;
  }
  return verdicts;
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
