/**
 * The compiled form: an expression as functions over rows of a batch, made once. A field is read from its column, so a row
 * becomes a record only where the expression wants the whole of it (`this`), where its field is missing or repeated (the
 * reference tells why and warns), or where it is one already. Constants are folded, arguments of calls matched to
 * parameters, lists of texts looked up by hash.
 *
 * Invariants
 * I1 values and warnings are the interpreter's for every row, evaluated row by row (`test/runners/expressions.fuzz.ts`).
 */
import type { Column, EventBatch, Value } from '../../data/index.ts';
import type { CallContext, CallExpr, Expr, FieldExpr } from '../../sdk/index.ts';
import {
  aggregateOf,
  argumentsOf,
  callOf,
  formatOf,
  indexOf,
  type Items,
  listOf,
  memberOf,
  recordOf,
} from './access.ts';
import type { Interpreter, InterpreterHost } from './interpreter.ts';
import { between, binary, isTrue, logical, negate, not, plus } from './operations.ts';

/** A batch with the columns of the fields that an expression reads, where it has them. */
export interface Frame {
  readonly batch: EventBatch;
  readonly columns: readonly (Column | undefined)[];
}

export type Code = (frame: Frame, row: number) => Value;
export type TextCode = (frame: Frame, row: number) => string | undefined;

type MoveOrField = Extract<Expr, { kind: 'field' | 'move' }>;

export class CodeMaker {
  /** Of the fields that the code reads, by their numbers in `Frame.columns`. */
  readonly paths: (readonly string[])[] = [];
  private readonly host: InterpreterHost;
  private readonly interpreter: Interpreter;
  private readonly fold: (expr: Expr) => Expr;

  constructor(host: InterpreterHost, interpreter: Interpreter, fold: (expr: Expr) => Expr) {
    this.host = host;
    this.interpreter = interpreter;
    this.fold = fold;
  }

  make(unfolded: Expr): Code {
    const expr = this.fold(unfolded);
    const { report } = this.host;
    const warn = (message: string): void => report(expr.span, { message });
    switch (expr.kind) {
      case 'constant': {
        const { value } = expr;
        return () => value;
      }
      case 'field':
      case 'move':
        return this.field(expr);
      case 'variable': {
        const value = this.host.environment.get(expr.name) ?? null;
        return () => value;
      }
      case 'this':
        return (frame, row) => frame.batch.record(row);
      case 'meta':
        return expr.name === 'name'
          ? frame => frame.batch.name
          : (frame, row) => frame.batch.metaOf(row, expr.name) ?? null;
      case 'member': {
        const { name, place, quiet } = expr;
        const base = this.make(expr.base);
        return (frame, row) => memberOf(base(frame, row), name, quiet, place, report);
      }
      case 'index': {
        const [base, index] = [this.make(expr.base), this.make(expr.index)];
        return (frame, row) => indexOf(expr, base(frame, row), index(frame, row), report);
      }
      case 'negate':
      case 'plus':
      case 'not': {
        const operand = this.make(expr.operand);
        const operation = { negate, plus, not }[expr.kind];
        return (frame, row) => operation(operand(frame, row), warn);
      }
      case 'between': {
        const [value, low, high] = [this.make(expr.value), this.make(expr.low), this.make(expr.high)];
        return (frame, row) => between(value(frame, row), low(frame, row), high(frame, row));
      }
      case 'binary':
        return this.binary(expr);
      case 'logic': {
        const { operation } = expr;
        const [left, right] = [this.make(expr.left), this.make(expr.right)];
        return (frame, row) => logical(operation, left(frame, row), () => right(frame, row), warn);
      }
      case 'choose': {
        const [condition, then] = [this.make(expr.condition), this.make(expr.then)];
        const otherwise = expr.otherwise ? this.make(expr.otherwise) : () => null;
        return (frame, row) => (isTrue(condition(frame, row), warn) ? then(frame, row) : otherwise(frame, row));
      }
      case 'fallback': {
        const [value, fallback] = [this.make(expr.value), this.make(expr.fallback)];
        return (frame, row) => value(frame, row) ?? fallback(frame, row);
      }
      case 'record': {
        const items = this.items(expr.items);
        return (frame, row) => recordOf(expr.items, items(frame, row), report);
      }
      case 'list': {
        const items = this.items(expr.items);
        return (frame, row) => listOf(expr.items, items(frame, row), report);
      }
      case 'format': {
        const parts = expr.parts.map(part => (typeof part === 'string' ? () => part : this.make(part)));
        return (frame, row) => formatOf(parts.map(part => part(frame, row)));
      }
      case 'call':
        return this.call(expr);
      // Inside a lambda the interpreter is at work: it knows the parameters.
      case 'parameter':
      case 'lambda':
        return this.interpreted(expr);
    }
  }

  /** The JSON text that the value came from, where it is a field of the event that nobody changed. */
  makeText(expr: Expr): TextCode | undefined {
    if (expr.kind !== 'field' && expr.kind !== 'move') return undefined;
    const { path } = expr;
    const index = this.column(expr);
    return ({ batch, columns }, row) => {
      const column = columns[index];
      const made = batch.madeRecord(row);
      if (made || !column || batch.columnState(column, row) === 'repeated') {
        return (made ?? batch.record(row)).textAt(path);
      }
      return batch.columnState(column, row) === 'value' ? batch.textIn(column, row) : undefined;
    };
  }

  private items(items: readonly { readonly value: Expr }[]): (frame: Frame, row: number) => Items {
    const values = items.map(item => this.make(item.value));
    const texts = items.map(item => this.makeText(item.value));
    return (frame, row) => ({ value: i => values[i]!(frame, row), text: i => texts[i]?.(frame, row) });
  }

  /** By the reference, over the whole row. */
  private interpreted(expr: Expr): Code {
    return ({ batch }, row) => this.interpreter.evaluate(expr, { event: batch.record(row), name: batch.name });
  }

  private field(expr: MoveOrField): Code {
    const { path, quiet } = expr;
    const reference = this.interpreted(expr);
    const index = this.column(expr);
    return (frame, row) => {
      const { batch } = frame;
      const column = frame.columns[index];
      const made = batch.madeRecord(row);
      if (made || !column) {
        const value = (made ?? batch.record(row)).at(path);
        return value === undefined ? reference(frame, row) : value;
      }
      const found = batch.columnState(column, row);
      if (found === 'value') return batch.valueIn(column, row);
      return quiet && found === 'missing' ? null : reference(frame, row);
    };
  }

  private column({ path }: MoveOrField | FieldExpr): number {
    const known = this.paths.findIndex(
      other => other.length === path.length && other.every((name, i) => name === path[i]),
    );
    return known >= 0 ? known : this.paths.push(path) - 1;
  }

  private binary(expr: Extract<Expr, { kind: 'binary' }>): Code {
    const { operation } = expr;
    const warn = (message: string): void => this.host.report(expr.span, { message });
    const left = this.make(expr.left);
    const folded = this.fold(expr.right);
    const right = this.make(folded);
    const list = folded.kind === 'constant' && Array.isArray(folded.value) ? (folded.value as readonly Value[]) : [];
    const isTexts = list.length > 0 && list.every(element => typeof element === 'string');
    if (isTexts && (operation === 'in' || operation === 'not_in')) {
      const texts: ReadonlySet<Value> = new Set(list);
      const isIn = operation === 'in';
      return (frame, row) => texts.has(left(frame, row)) === isIn;
    }
    return (frame, row) => binary(operation, left(frame, row), right(frame, row), warn);
  }

  private call(expr: CallExpr): Code {
    const { calls, registry, report } = this.host;
    const definition = registry.functions.get(expr.function);
    const takesLambda = [...expr.args, ...Object.values(expr.named)].some(({ kind }) => kind === 'lambda');
    if (takesLambda) return this.interpreted(expr);
    if (!definition) {
      const aggregate = registry.aggregates.get(expr.function);
      const list = expr.args[0] ?? expr.named['x'];
      if (!aggregate || !list) return this.interpreted(expr);
      const code = this.make(list);
      return (frame, row) => aggregateOf(expr, aggregate, code(frame, row), report);
    }
    const given = argumentsOf(definition, expr);
    const codes = given.map(argument => argument && this.make(argument));
    const context: CallContext = { ...calls, warn: (message, more) => report(expr.span, { message, ...more }) };
    return (frame, row) => callOf(definition, given, i => codes[i]!(frame, row), context, report);
  }
}
