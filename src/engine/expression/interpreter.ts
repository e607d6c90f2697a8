/**
 * The row interpreter: walks an expression for one row. It is the reference that the compiled form is tested against,
 * and what evaluates constants at the start.
 *
 * Invariants
 * I1 a row's evaluation has no effect but warnings.
 */
import { assert } from '../../base/index.ts';
import type { RecordValue, Value } from '../../data/index.ts';
import type { CallContext, CallExpr, Expr, Lambda, Registry } from '../../sdk/index.ts';
import type { Environment } from '../environment.ts';
import {
  aggregateOf,
  argumentsOf,
  callOf,
  fieldOf,
  formatOf,
  indexOf,
  type Items,
  listOf,
  memberOf,
  recordOf,
  type Report,
} from './access.ts';
import { between, binary, isTrue, logical, negate, not, plus } from './operations.ts';

/** What an expression reads: the event, its metadata, and the parameters of the lambdas around it. */
export interface Scope {
  readonly event: RecordValue | undefined;
  readonly name: string;
  /** Metadata besides the name; null for what the event does not have. */
  meta?(name: string): Value;
  readonly parameters?: ReadonlyMap<string, Value>;
}

export interface InterpreterHost {
  readonly registry: Registry;
  readonly environment: Environment;
  readonly calls: Omit<CallContext, 'warn'>;
  readonly report: Report;
}

export class Interpreter {
  private readonly host: InterpreterHost;

  constructor(host: InterpreterHost) {
    this.host = host;
  }

  evaluate(expr: Expr, scope: Scope): Value {
    const { report } = this.host;
    const warn = (message: string): void => report(expr.span, { message });
    switch (expr.kind) {
      case 'constant':
        return expr.value;
      case 'field':
      case 'move':
        return fieldOf(expr, scope.event, report);
      case 'variable':
        return this.host.environment.get(expr.name) ?? null;
      case 'parameter':
        return scope.parameters?.get(expr.name) ?? null;
      case 'this':
        return scope.event ?? null;
      case 'meta':
        return expr.name === 'name' ? scope.name : (scope.meta?.(expr.name) ?? null);
      case 'member':
        return memberOf(this.evaluate(expr.base, scope), expr.name, expr.quiet, expr.place, report);
      case 'index':
        return indexOf(expr, this.evaluate(expr.base, scope), this.evaluate(expr.index, scope), report);
      case 'negate':
        return negate(this.evaluate(expr.operand, scope), warn);
      case 'plus':
        return plus(this.evaluate(expr.operand, scope), warn);
      case 'not':
        return not(this.evaluate(expr.operand, scope), warn);
      case 'between':
        return between(
          this.evaluate(expr.value, scope),
          this.evaluate(expr.low, scope),
          this.evaluate(expr.high, scope),
        );
      case 'binary':
        return binary(expr.operation, this.evaluate(expr.left, scope), this.evaluate(expr.right, scope), warn);
      case 'logic':
        return logical(expr.operation, this.evaluate(expr.left, scope), () => this.evaluate(expr.right, scope), warn);
      case 'choose':
        if (isTrue(this.evaluate(expr.condition, scope), warn)) return this.evaluate(expr.then, scope);
        return expr.otherwise ? this.evaluate(expr.otherwise, scope) : null;
      case 'fallback':
        return this.evaluate(expr.value, scope) ?? this.evaluate(expr.fallback, scope);
      case 'record':
        return recordOf(expr.items, this.items(expr.items, scope), report);
      case 'list':
        return listOf(expr.items, this.items(expr.items, scope), report);
      case 'format':
        return formatOf(expr.parts.map(part => (typeof part === 'string' ? part : this.evaluate(part, scope))));
      case 'call':
        return this.call(expr, scope);
      case 'lambda':
        // Lambdas travel as values of their own kind; only parameters of type `lambda` take them.
        return this.lambda(expr, scope) as unknown as Value;
    }
  }

  /** The JSON text that the value came from, where it is a field of the event that nobody changed. */
  textOf(expr: Expr, event: RecordValue | undefined): string | undefined {
    return expr.kind === 'field' || expr.kind === 'move' ? event?.textAt(expr.path) : undefined;
  }

  private items(items: readonly { readonly value: Expr }[], scope: Scope): Items {
    return {
      value: i => this.evaluate(items[i]!.value, scope),
      text: i => this.textOf(items[i]!.value, scope.event),
    };
  }

  /** A lambda over the row's scope. */
  private lambda(expr: Extract<Expr, { kind: 'lambda' }>, scope: Scope): Lambda {
    return args => {
      const parameters = new Map(scope.parameters);
      expr.parameters.forEach((name, i) => parameters.set(name, args[i] ?? null));
      return this.evaluate(expr.body, { ...scope, parameters });
    };
  }

  private call(expr: CallExpr, scope: Scope): Value {
    const { calls, registry, report } = this.host;
    const definition = registry.functions.get(expr.function);
    if (definition) {
      const given = argumentsOf(definition, expr);
      const context: CallContext = { ...calls, warn: (message, more) => report(expr.span, { message, ...more }) };
      return callOf(definition, given, i => this.evaluate(given[i]!, scope), context, report);
    }
    const aggregate = registry.aggregates.get(expr.function);
    assert(aggregate !== undefined, `the checker let an unknown function through: ${expr.function}`);
    const list = expr.args[0] ?? expr.named['x'];
    return aggregateOf(expr, aggregate, list ? this.evaluate(list, scope) : null, report);
  }
}
