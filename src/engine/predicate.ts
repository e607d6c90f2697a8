/**
 * Predicates over batches: which rows hold. Comparisons of a field with a constant, and `and`, `or`, `not` of such, run
 * over columns without making a value; everything else asks the evaluator row by row.
 *
 *   verdict of a row: 1 true, 0 false, 2 null
 *
 * Invariants
 * I1 the rows selected, and the warnings, are those of the interpreter.
 * I2 a column form is chosen only for batches whose rows are documents.
 */
import { type Column, EventBatch, inferText, TAG } from '../data/index.ts';
import { assert, type Io } from '../base/index.ts';
import type { Batch, ComparisonOperation, Expr, Plan, Registry } from '../sdk/index.ts';
import { Environment } from './environment.ts';
import { Compiler } from './expression/compiler.ts';
import { isTrue } from './expression/operations.ts';

export interface Predicate {
  /** Positions of the rows that hold, ascending. */
  select(batch: EventBatch): Uint32Array;
}

const TRUE = 1;
const FALSE = 0;
const NULL = 2;

/** Fills `verdicts` for all rows of the batch; false where this batch needs the row form. */
type ColumnForm = (batch: EventBatch, verdicts: Uint8Array) => boolean;

export function predicateOf(expr: Expr, compiler: Compiler): Predicate {
  const columns = compiler.isInterpreted ? undefined : columnForm(expr, compiler);
  const evaluator = compiler.compile(expr);
  const warn = (message: string): void => compiler.warn({ code: 'MR6211', message, span: expr.span });
  return {
    select(batch) {
      const verdicts = new Uint8Array(batch.count);
      if (!(columns && batch.hasDocuments && columns(batch, verdicts))) {
        for (let row = 0; row < batch.count; row++)
          verdicts[row] = isTrue(evaluator.value(batch, row), warn) ? TRUE : FALSE;
      }
      return rowsWhere(verdicts);
    },
  };
}

/** Splits batches by a condition, for `if`. Chunks of bytes have no fields and are never split. */
export function splitterOf(expr: Expr, compiler: Compiler): (batch: Batch) => { then: Batch; otherwise: Batch } {
  const predicate = predicateOf(expr, compiler);
  return batch => {
    if (!(batch instanceof EventBatch)) return { then: batch, otherwise: batch.select(new Uint32Array(0)) };
    const then = predicate.select(batch);
    const otherwise = new Uint32Array(batch.count - then.length);
    let next = 0;
    let kept = 0;
    for (let row = 0; row < batch.count; row++) {
      if (then[next] === row) next++;
      else otherwise[kept++] = row;
    }
    return { then: batch.select(then), otherwise: batch.select(otherwise) };
  };
}

function rowsWhere(verdicts: Uint8Array): Uint32Array {
  let count = 0;
  for (let row = 0; row < verdicts.length; row++) if (verdicts[row] === TRUE) count++;
  const rows = new Uint32Array(count);
  let at = 0;
  for (let row = 0; row < verdicts.length; row++) if (verdicts[row] === TRUE) rows[at++] = row;
  return rows;
}

function columnForm(expr: Expr, compiler: Compiler): ColumnForm | undefined {
  if (expr.kind === 'logic') {
    const left = columnForm(expr.left, compiler);
    const right = columnForm(expr.right, compiler);
    return left && right && logicForm(expr.operation, left, right);
  }
  if (expr.kind === 'not') {
    const operand = columnForm(expr.operand, compiler);
    return operand && notForm(operand);
  }
  if (expr.kind !== 'binary' || !isComparison(expr.operation)) return undefined;
  const right = compiler.fold(expr.right);
  const left = compiler.fold(expr.left);
  if (left.kind === 'field' && right.kind === 'constant') return comparisonForm(left.path, expr.operation, right.value);
  if (right.kind === 'field' && left.kind === 'constant') {
    return comparisonForm(right.path, MIRRORED[expr.operation], left.value);
  }
  return undefined;
}

function isComparison(operation: string): operation is ComparisonOperation {
  return operation in MIRRORED;
}

const MIRRORED: Readonly<Record<ComparisonOperation, ComparisonOperation>> = {
  equal: 'equal',
  not_equal: 'not_equal',
  less: 'greater',
  less_equal: 'greater_equal',
  greater: 'less',
  greater_equal: 'less_equal',
};

function logicForm(operation: 'and' | 'or', left: ColumnForm, right: ColumnForm): ColumnForm {
  const decisive = operation === 'and' ? FALSE : TRUE;
  return (batch, verdicts) => {
    const second = new Uint8Array(verdicts.length);
    if (!left(batch, verdicts) || !right(batch, second)) return false;
    for (let row = 0; row < verdicts.length; row++) {
      const a = verdicts[row]!;
      const b = second[row]!;
      if (a === decisive || b === decisive) verdicts[row] = decisive;
      else verdicts[row] = a === NULL || b === NULL ? NULL : a;
    }
    return true;
  };
}

function notForm(operand: ColumnForm): ColumnForm {
  return (batch, verdicts) => {
    if (!operand(batch, verdicts)) return false;
    for (let row = 0; row < verdicts.length; row++) {
      const verdict = verdicts[row]!;
      if (verdict !== NULL) verdicts[row] = verdict === TRUE ? FALSE : TRUE;
    }
    return true;
  };
}

/** Only constants whose comparison with any value of a column is decided here; else the row form. */
function comparisonForm(
  path: readonly string[],
  operation: ComparisonOperation,
  constant: unknown,
): ColumnForm | undefined {
  if (typeof constant === 'number' || typeof constant === 'bigint') {
    const limit = Number(constant);
    // Beyond 2^53 a double is not the number that was written: leave it to the exact form.
    if (!Number.isSafeInteger(limit) && typeof constant === 'bigint') return undefined;
    return (batch, verdicts) => compareNumbers(batch, verdicts, path, operation, limit);
  }
  if (typeof constant === 'string' && (operation === 'equal' || operation === 'not_equal')) {
    const bytes = Buffer.from(constant);
    // Where texts may mean something else, this one is never a text.
    const isOther = inferText(constant) !== constant;
    return (batch, verdicts) =>
      !(isOther && batch.infersTexts) && compareStrings(batch, verdicts, path, operation, bytes);
  }
  return undefined;
}

function compareNumbers(
  batch: EventBatch,
  verdicts: Uint8Array,
  path: readonly string[],
  operation: ComparisonOperation,
  limit: number,
): boolean {
  const column = batch.columns([path])?.get(path);
  if (!column) return false;
  const isEquality = operation === 'equal' || operation === 'not_equal';
  for (let row = 0; row < verdicts.length; row++) {
    const at = batch.storeRow(row);
    const tag = column.tags[at]!;
    if (tag === TAG.int) verdicts[row] = decide(operation, compareInt(column, at, limit));
    else if (tag === TAG.float) verdicts[row] = decide(operation, compareFloat(column.floats[at]!, limit));
    else if (tag === TAG.null) verdicts[row] = isEquality ? (operation === 'not_equal' ? TRUE : FALSE) : NULL;
    // A missing field, a string or anything else warns or differs: the row form knows how.
    else return false;
  }
  return true;
}

function compareInt(column: Column, at: number, limit: number): number {
  // The low 53 bits decide nearly always; a BigInt is made only for numbers that a double cannot hold.
  const exact = column.ints[at]!;
  const value = Number(exact);
  if (value !== limit) return value < limit ? -1 : 1;
  return Number.isSafeInteger(value) ? 0 : exact < BigInt(limit) ? -1 : exact > BigInt(limit) ? 1 : 0;
}

function compareFloat(value: number, limit: number): number {
  return value < limit ? -1 : value > limit ? 1 : 0;
}

function decide(operation: ComparisonOperation, sign: number): number {
  switch (operation) {
    case 'equal':
      return sign === 0 ? TRUE : FALSE;
    case 'not_equal':
      return sign !== 0 ? TRUE : FALSE;
    case 'less':
      return sign < 0 ? TRUE : FALSE;
    case 'less_equal':
      return sign <= 0 ? TRUE : FALSE;
    case 'greater':
      return sign > 0 ? TRUE : FALSE;
    case 'greater_equal':
      return sign >= 0 ? TRUE : FALSE;
  }
}

function compareStrings(
  batch: EventBatch,
  verdicts: Uint8Array,
  path: readonly string[],
  operation: ComparisonOperation,
  bytes: Uint8Array,
): boolean {
  const column = batch.columns([path])?.get(path);
  if (!column) return false;
  const differs = operation === 'equal' ? FALSE : TRUE;
  const same = operation === 'equal' ? TRUE : FALSE;
  const document = batch.store.bytes;
  for (let row = 0; row < verdicts.length; row++) {
    const at = batch.storeRow(row);
    const tag = column.tags[at]!;
    if (tag === TAG.missing || tag === TAG.escaped || tag === TAG.text || tag === TAG.repeated) return false;
    verdicts[row] = tag === TAG.string && isSame(document, column, at, bytes) ? same : differs;
  }
  return true;
}

function isSame(document: Uint8Array, column: Column, at: number, bytes: Uint8Array): boolean {
  if (column.spans[2 * at + 1] !== bytes.length) return false;
  const offset = column.spans[2 * at]!;
  for (let i = 0; i < bytes.length; i++) if (document[offset + i] !== bytes[i]) return false;
  return true;
}

/** The predicate of a plan that holds a `where`, for taps. */
export function compilePredicate(plan: Plan, parts: { readonly io: Io; readonly registry: Registry }): Predicate {
  const stage = plan.chain.find(({ node }) => node.kind === 'filter');
  assert(stage?.node.kind === 'filter', 'the plan of a predicate has a filter');
  const compiler = new Compiler({
    registry: parts.registry,
    environment: new Environment(),
    host: { io: parts.io, service: () => undefined, warn: () => undefined },
    span: stage.span,
    onWarning: () => undefined,
  });
  return predicateOf(stage.node.predicate, compiler);
}
