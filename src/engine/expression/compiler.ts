/**
 * Expressions ready to run: by compiled code (`code.ts`) that reads columns, or by the interpreter alone where the host asks
 * for the reference. Warnings are collected here: equal ones of a place are told once in a while, all are counted.
 *
 * Invariants
 * I1 the compiled form gives the interpreter's values and warnings for every row (fuzzed; the corpus runs in both modes).
 */
import type { Diagnostic, Io, Span } from '../../base/index.ts';
import type { EventBatch, RecordValue, Value } from '../../data/index.ts';
import {
  childrenOf,
  type Evaluator,
  type Expr,
  type FieldExpr,
  readsEvent,
  type Registry,
  secrets,
  type ServiceToken,
} from '../../sdk/index.ts';
import type { Environment } from '../environment.ts';
import { engineErrors, engineNotices } from '../errors.ts';
import { Repeats } from '../repeats.ts';
import { fieldOf } from './access.ts';
import { type Code, CodeMaker, type Frame, type TextCode } from './code.ts';
import { Interpreter, type InterpreterHost } from './interpreter.ts';

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
  /** Shared by the stages of a pipeline; a compiler by itself has its own. */
  readonly repeats?: Repeats;
  onWarning(): void;
}

export interface FieldEvaluator extends Evaluator {
  /** The JSON text that the value came from, where the expression is a field that nobody changed. */
  text(batch: EventBatch, row: number): string | undefined;
}

export class Compiler {
  private readonly parts: CompilerParts;
  private readonly host: InterpreterHost;
  private readonly interpreter: Interpreter;
  private readonly repeats: Repeats;
  private isFolding = false;
  private hasFoldWarned = false;

  constructor(parts: CompilerParts) {
    this.parts = parts;
    const { io } = parts.host;
    this.repeats = parts.repeats ?? new Repeats(io.clock);
    this.host = {
      registry: parts.registry,
      environment: parts.environment,
      calls: {
        now: () => io.clock.now(),
        random: () => io.random.float(),
        secret: name => parts.host.service(secrets)?.get(name),
      },
      report: (span, { hints, message, notes }) => {
        if (this.isFolding) this.hasFoldWarned = true;
        else {
          const warning = { code: engineNotices.evaluation, message, span, ...(notes && { notes }) };
          if (typeof hints === 'function') this.warn(warning, hints);
          else this.warn({ ...warning, ...(hints && { hints }) });
        }
      },
    };
    this.interpreter = new Interpreter(this.host);
  }

  get isInterpreted(): boolean {
    return this.parts.host.isInterpreted === true;
  }

  /** `hints` is called only for what is reported: looking for a similar name takes time. */
  warn(warning: Omit<Diagnostic, 'severity' | 'file'>, hints?: () => readonly string[]): void {
    this.parts.onWarning();
    const { span = this.parts.span } = warning;
    const key = `${span.start}:${span.end}:${warning.message}`;
    if (!this.repeats.isDue(key)) return;
    this.parts.host.warn({ ...warning, ...(hints && { hints: hints() }), span, severity: 'warning' });
  }

  /** Warns that a field is not there, as reading it would. */
  missing(field: FieldExpr, event: RecordValue): void {
    fieldOf(field, event, this.host.report);
  }

  /** The value of an expression that reads no event. */
  constant(expr: Expr): Value {
    if (readsEvent(expr)) throw engineErrors.notConstant({ argument: '', operator: '' });
    return this.interpreter.evaluate(expr, { event: undefined, name: '' });
  }

  compile(expr: Expr): FieldEvaluator {
    if (this.isInterpreted) {
      return {
        value: (batch, row) =>
          this.interpreter.evaluate(expr, {
            event: batch.record(row),
            name: batch.name,
            meta: name => batch.metaOf(row, name) ?? null,
          }),
        text: (batch, row) => this.interpreter.textOf(expr, batch.record(row)),
      };
    }
    const maker = new CodeMaker(this.host, this.interpreter, inner => this.fold(inner));
    const code = maker.make(expr);
    return new Compiled(code, maker.makeText(expr), maker.paths);
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

  private isPure(expr: Expr): boolean {
    if (expr.kind === 'lambda' || expr.kind === 'parameter') return false;
    if (expr.kind === 'call' && this.parts.registry.functions.get(expr.function)?.isPure === false) return false;
    return childrenOf(expr).every(child => this.isPure(child));
  }
}

/** Code over the batch that was asked for last. */
class Compiled implements FieldEvaluator {
  private readonly code: Code;
  private readonly textCode: TextCode | undefined;
  private readonly paths: readonly (readonly string[])[];
  private frame: Frame | undefined;

  constructor(code: Code, textCode: TextCode | undefined, paths: readonly (readonly string[])[]) {
    this.code = code;
    this.textCode = textCode;
    this.paths = paths;
  }

  value(batch: EventBatch, row: number): Value {
    return this.code(this.frameOf(batch), row);
  }

  text(batch: EventBatch, row: number): string | undefined {
    return this.textCode?.(this.frameOf(batch), row);
  }

  private frameOf(batch: EventBatch): Frame {
    if (this.frame?.batch !== batch) this.frame = this.bind(batch);
    return this.frame;
  }

  private bind(batch: EventBatch): Frame {
    const isWorth = this.paths.length > 0 && batch.isWorthColumns(this.paths);
    const columns = isWorth ? batch.columns(this.paths) : undefined;
    return { batch, columns: columns ? this.paths.map(path => columns.get(path)) : [] };
  }
}
