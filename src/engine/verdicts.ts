/**
 * Column forms of predicates: verdicts for all rows of a batch without making a value, by the scanner's kernel where it can.
 *
 *   field op constant      equality and order of numbers, equality of texts, bools and null
 *   field in [constants]   any of them equal
 *   low..high of patterns  strictly between
 *   field                  a bool
 *   not, and, or           of such
 *
 * A row that columns cannot tell is `undecided` and evaluated by itself: a missing field warns, texts have an order. So does
 * the right side of `and` and `or` when it has no column form: it is needed only where the left does not decide.
 *
 * Invariants
 * I1 a verdict other than undecided is the reference's, and the reference would not warn for the row.
 */
import { compareColumn, type Comparison, type Constant, type EventBatch, TAG, VERDICT } from '../data/index.ts';
import type { ComparisonOperation, Expr } from '../sdk/index.ts';

/** A verdict for each row of the batch; undefined where the batch has no columns for it. */
export interface ColumnForm {
  readonly paths: readonly (readonly string[])[];
  verdicts(batch: EventBatch): Uint8Array | undefined;
}

/** Longer lists are looked up row by row. */
const LIST_MAX = 16;

const MIRRORED: Readonly<Record<ComparisonOperation, ComparisonOperation>> = {
  equal: 'equal',
  not_equal: 'not_equal',
  less: 'greater',
  less_equal: 'greater_equal',
  greater: 'less',
  greater_equal: 'less_equal',
};

export function columnForm(expr: Expr, fold: (expr: Expr) => Expr): ColumnForm | undefined {
  switch (expr.kind) {
    case 'logic': {
      const left = columnForm(expr.left, fold);
      return left && logicForm(expr.operation, left, columnForm(expr.right, fold));
    }
    case 'not': {
      const operand = columnForm(expr.operand, fold);
      return operand && mapped(operand, verdict => (verdict < VERDICT.null ? 1 - verdict : verdict));
    }
    case 'field':
      return boolForm(expr.path);
    case 'between': {
      const { high, low, value } = { high: fold(expr.high), low: fold(expr.low), value: expr.value };
      if (value.kind !== 'field') return undefined;
      const above = comparisonForm(value.path, 'greater', low);
      const below = comparisonForm(value.path, 'less', high);
      // What has no order with the bounds does not match, and null neither.
      return (
        above && below && mapped(logicForm('and', above, below), verdict => (verdict === VERDICT.null ? 0 : verdict))
      );
    }
    case 'binary': {
      const { operation } = expr;
      const [left, right] = [fold(expr.left), fold(expr.right)];
      if (operation === 'in' || operation === 'not_in') {
        const form = left.kind === 'field' ? listForm(left.path, right) : undefined;
        return form && operation === 'not_in'
          ? mapped(form, verdict => (verdict < VERDICT.null ? 1 - verdict : verdict))
          : form;
      }
      if (!isComparison(operation)) return undefined;
      if (left.kind === 'field') return comparisonForm(left.path, operation, right);
      return right.kind === 'field' ? comparisonForm(right.path, MIRRORED[operation], left) : undefined;
    }
    default:
      return undefined;
  }
}

function isComparison(operation: string): operation is ComparisonOperation {
  return operation in MIRRORED;
}

function isConstant(value: unknown): value is Constant {
  return value === null || ['number', 'bigint', 'string', 'boolean'].includes(typeof value);
}

function comparisonForm(path: readonly string[], operation: Comparison, operand: Expr): ColumnForm | undefined {
  if (operand.kind !== 'constant' || !isConstant(operand.value)) return undefined;
  const { value } = operand;
  const isOrder = operation !== 'equal' && operation !== 'not_equal';
  if (isOrder && typeof value !== 'number' && typeof value !== 'bigint') return undefined;
  return { paths: [path], verdicts: batch => compare(batch, path, operation, value) };
}

function compare(
  batch: EventBatch,
  path: readonly string[],
  operation: Comparison,
  constant: Constant,
): Uint8Array | undefined {
  const column = batch.columns([path])?.get(path);
  if (!column) return undefined;
  const { rows, store } = batch;
  const infers = batch.infersTexts;
  // Of a few rows each is looked at; else the whole column at once, and then the rows.
  if (!rows || rows.length * 4 < store.count)
    return compareColumn(store, column, operation, constant, { infers, rows });
  const all = compareColumn(store, column, operation, constant, { infers });
  return all && Uint8Array.from(rows, row => all[row]!);
}

function listForm(path: readonly string[], operand: Expr): ColumnForm | undefined {
  if (operand.kind !== 'constant' || !Array.isArray(operand.value)) return undefined;
  const elements = operand.value as readonly unknown[];
  if (elements.length === 0 || elements.length > LIST_MAX || !elements.every(isConstant)) return undefined;
  return {
    paths: [path],
    verdicts: batch => {
      let any: Uint8Array | undefined;
      for (const element of elements) {
        const one = compare(batch, path, 'equal', element);
        if (!one) return undefined;
        if (any) for (let i = 0; i < any.length; i++) any[i] = either(any[i]!, one[i]!);
        else any = one;
      }
      return any;
    },
  };
}

/** Of two verdicts that come without a warning, in any order. */
function either(a: number, b: number): number {
  if (a === VERDICT.true || b === VERDICT.true) return VERDICT.true;
  return a === VERDICT.undecided || b === VERDICT.undecided ? VERDICT.undecided : VERDICT.false;
}

function boolForm(path: readonly string[]): ColumnForm {
  return {
    paths: [path],
    verdicts: batch => {
      const column = batch.columns([path])?.get(path);
      if (!column) return undefined;
      const verdicts = new Uint8Array(batch.count);
      for (let row = 0; row < verdicts.length; row++) {
        const tag = column.tags[batch.storeRow(row)];
        verdicts[row] =
          tag === TAG.true
            ? VERDICT.true
            : tag === TAG.false
              ? VERDICT.false
              : tag === TAG.null
                ? VERDICT.null
                : VERDICT.undecided;
      }
      return verdicts;
    },
  };
}

function mapped(form: ColumnForm, map: (verdict: number) => number): ColumnForm {
  return {
    paths: form.paths,
    verdicts: batch => {
      const verdicts = form.verdicts(batch);
      if (verdicts) for (let i = 0; i < verdicts.length; i++) verdicts[i] = map(verdicts[i]!);
      return verdicts;
    },
  };
}

function logicForm(operation: 'and' | 'or', left: ColumnForm, right: ColumnForm | undefined): ColumnForm {
  const decisive = operation === 'and' ? VERDICT.false : VERDICT.true;
  return {
    paths: [...left.paths, ...(right?.paths ?? [])],
    verdicts: batch => {
      const verdicts = left.verdicts(batch);
      if (!verdicts) return undefined;
      const second = right?.verdicts(batch);
      for (let i = 0; i < verdicts.length; i++) {
        const a = verdicts[i]!;
        if (a === decisive || a === VERDICT.undecided) continue;
        const b = second ? second[i]! : VERDICT.undecided;
        if (b === decisive || b === VERDICT.undecided) verdicts[i] = b;
        else verdicts[i] = a === VERDICT.null || b === VERDICT.null ? VERDICT.null : b;
      }
      return verdicts;
    },
  };
}
