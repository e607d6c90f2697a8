/**
 * Expressions ready to run: constants folded, field reads bound to columns where a batch has them, everything else by the
 * interpreter. Warnings are collected here: equal ones are reported once per stage and span, all are counted.
 *
 * Invariants
 * I1 the compiled form gives the interpreter's values and warnings for every row (the corpus runs in both modes).
 */
import type { Diagnostic, Io, Span } from '../../base/index.ts';
import type { EventBatch, Value } from '../../data/index.ts';
import {
  childrenOf,
  type Evaluator,
  type Expr,
  readsEvent,
  type Registry,
  secrets,
  type ServiceToken,
} from '../../sdk/index.ts';
import type { Environment } from '../environment.ts';
import { engineErrors } from '../errors.ts';
import { Interpreter } from './interpreter.ts';

export interface CompilerParts {
  readonly registry: Registry;
  readonly environment: Environment;
  readonly host: {
    readonly io: Io;
    readonly isInterpreted?: boolean;
    service<T>(token: ServiceToken<T>): T | undefined;
    warn(diagnostic: Diagnostic): void;
  };
  readonly span: Span;
  onWarning(): void;
}

export class Compiler {
  private readonly parts: CompilerParts;
  private readonly interpreter: Interpreter;
  private readonly reported = new Set<string>();
  private isFolding = false;
  private hasFoldWarned = false;

  constructor(parts: CompilerParts) {
    this.parts = parts;
    const { io } = parts.host;
    this.interpreter = new Interpreter({
      registry: parts.registry,
      environment: parts.environment,
      calls: {
        now: () => io.clock.now(),
        random: () => io.random.float(),
        secret: name => parts.host.service(secrets)?.get(name),
      },
      warn: (expr, message, hint) => {
        if (this.isFolding) this.hasFoldWarned = true;
        else if (typeof hint === 'function') this.warn({ code: 'MR6210', message, span: expr.span }, hint);
        else this.warn({ code: 'MR6210', message, span: expr.span, ...(hint !== undefined && { hints: [hint] }) });
      },
    });
  }

  get isInterpreted(): boolean {
    return this.parts.host.isInterpreted === true;
  }

  /** `hints` is called only for what is reported: looking for a similar name takes time. */
  warn(warning: Omit<Diagnostic, 'severity' | 'file'>, hints?: () => readonly string[]): void {
    this.parts.onWarning();
    const { span = this.parts.span } = warning;
    const key = `${span.start}:${span.end}:${warning.message}`;
    if (this.reported.has(key)) return;
    this.reported.add(key);
    this.parts.host.warn({ ...warning, ...(hints && { hints: hints() }), span, severity: 'warning' });
  }

  /** The value of an expression that reads no event. */
  constant(expr: Expr): Value {
    if (readsEvent(expr)) throw engineErrors.notConstant({ argument: '', operator: '' });
    return this.interpreter.evaluate(expr, { event: undefined, name: '' });
  }

  compile(expr: Expr): Evaluator {
    const folded = this.isInterpreted ? expr : this.fold(expr);
    if (folded.kind === 'constant') {
      const { value } = folded;
      return { value: () => value };
    }
    return { value: (batch, row) => this.evaluate(folded, batch, row) };
  }

  /** Constants in place of what cannot change from row to row. What warns is left to the rows: no rows, no warning. */
  fold(expr: Expr): Expr {
    if (expr.kind === 'constant' || readsEvent(expr) || !this.isPure(expr)) return expr;
    this.isFolding = true;
    this.hasFoldWarned = false;
    try {
      const value = this.interpreter.evaluate(expr, { event: undefined, name: '' });
      return this.hasFoldWarned ? expr : { kind: 'constant', value, span: expr.span };
    } finally {
      this.isFolding = false;
    }
  }

  evaluate(expr: Expr, batch: EventBatch, row: number): Value {
    return this.interpreter.evaluate(expr, { event: batch.record(row), name: batch.name });
  }

  private isPure(expr: Expr): boolean {
    if (expr.kind === 'lambda') return false;
    if (expr.kind === 'call' && this.parts.registry.functions.get(expr.function)?.isPure === false) return false;
    return childrenOf(expr).every(child => this.isPure(child));
  }
}
