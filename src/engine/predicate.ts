/**
 * Predicates over batches: which rows hold. Columns tell most rows (`verdicts.ts`); those that they cannot tell, and
 * predicates that have no column form, are evaluated row by row by the compiled expression.
 *
 * Invariants
 * I1 the rows selected, and the warnings, are those of the interpreter.
 */
import { assert, type Io } from '../base/index.ts';
import { EventBatch, VERDICT } from '../data/index.ts';
import type { Batch, Expr, Plan, Registry } from '../sdk/index.ts';
import { Environment } from './environment.ts';
import { engineNotices } from './errors.ts';
import { Compiler } from './expression/compiler.ts';
import { isTrue } from './expression/operations.ts';
import { columnForm } from './verdicts.ts';

export interface Predicate {
  /** Positions of the rows that hold, ascending. */
  select(batch: EventBatch): Uint32Array;
}

export function predicateOf(expr: Expr, compiler: Compiler): Predicate {
  const columns = compiler.isInterpreted ? undefined : columnForm(expr, inner => compiler.fold(inner));
  const evaluator = compiler.compile(expr);
  const warn = (message: string): void => compiler.warn({ code: engineNotices.noCondition, message, span: expr.span });
  return {
    select(batch) {
      const isWorth = columns !== undefined && batch.isWorthColumns(columns.paths);
      // All of them in one pass.
      if (isWorth) batch.columns(columns.paths);
      const verdicts = isWorth ? columns.verdicts(batch) : undefined;
      const rows = new Uint32Array(batch.count);
      let count = 0;
      for (let row = 0; row < batch.count; row++) {
        const verdict = verdicts ? verdicts[row]! : VERDICT.undecided;
        const holds =
          verdict === VERDICT.undecided ? isTrue(evaluator.value(batch, row), warn) : verdict === VERDICT.true;
        if (holds) rows[count++] = row;
      }
      return rows.slice(0, count);
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
