/**
 * The row interpreter: walks an expression for one row. It is the reference that the compiled form is tested against,
 * and what evaluates constants at the start.
 *
 * Invariants
 * I1 a row's evaluation has no effect but warnings.
 * I2 a function sees only arguments that its parameters declare; anything else is null and one warning.
 */
import { assert, nearest } from '../../base/index.ts';
import { printTql, RecordValue, Secret, typeOf, type Value } from '../../data/index.ts';
import type {
  CallContext,
  CallExpr,
  Expr,
  FunctionDefinition,
  Lambda,
  ListItem,
  Parameter,
  RecordItem,
  Registry,
} from '../../sdk/index.ts';
import type { Environment } from '../environment.ts';
import { between, binary, isTrue, logical, negate, not, plus } from './operations.ts';

/** What an expression reads: the event, its metadata, and the parameters of the lambdas around it. */
export interface Scope {
  readonly event: RecordValue | undefined;
  readonly name: string;
  readonly parameters?: ReadonlyMap<string, Value>;
}

export interface InterpreterHost {
  readonly registry: Registry;
  readonly environment: Environment;
  readonly calls: Omit<CallContext, 'warn'>;
  /** A function gives the hints when they are wanted. */
  warn(expr: Expr, message: string, hint?: string | (() => readonly string[])): void;
}

export class Interpreter {
  private readonly host: InterpreterHost;

  constructor(host: InterpreterHost) {
    this.host = host;
  }

  evaluate(expr: Expr, scope: Scope): Value {
    const warn = (message: string, hint?: string): void => this.host.warn(expr, message, hint);
    switch (expr.kind) {
      case 'constant':
        return expr.value;
      case 'field':
      case 'move':
        return this.field(expr, scope);
      case 'variable':
        return this.host.environment.get(expr.name) ?? null;
      case 'parameter':
        return scope.parameters?.get(expr.name) ?? null;
      case 'this':
        return scope.event ?? null;
      case 'meta':
        return expr.name === 'name' ? scope.name : null;
      case 'member':
        return this.member(expr, this.evaluate(expr.base, scope), expr.name, expr.quiet);
      case 'index':
        return this.index(expr, this.evaluate(expr.base, scope), this.evaluate(expr.index, scope), expr.quiet);
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
        return this.record(expr.items, scope, warn);
      case 'list':
        return this.list(expr.items, scope, warn);
      case 'format':
        return this.format(expr.parts, scope);
      case 'call':
        return this.call(expr, scope);
      case 'lambda':
        // A lambda is called by the function that takes it; by itself it has no value.
        return null;
    }
  }

  /** A lambda over the row's scope. */
  lambda(expr: Expr, scope: Scope): Lambda | undefined {
    if (expr.kind !== 'lambda') return undefined;
    return args => {
      const parameters = new Map(scope.parameters);
      expr.parameters.forEach((name, i) => parameters.set(name, args[i] ?? null));
      return this.evaluate(expr.body, { ...scope, parameters });
    };
  }

  private field(expr: Expr & { readonly path: readonly string[]; readonly quiet: boolean }, scope: Scope): Value {
    let value: Value = scope.event ?? null;
    for (const name of expr.path) {
      value = this.member(expr, value, name, expr.quiet);
      if (value === null) return null;
    }
    return value;
  }

  private member(expr: Expr, base: Value, name: string, isQuiet: boolean): Value {
    if (base instanceof RecordValue) {
      const value = base.get(name);
      if (value !== undefined) return value;
      if (!isQuiet) this.host.warn(expr, `field \`${name}\` not found`, () => hintsOfMissing(name, base));
      return null;
    }
    if (base !== null && !isQuiet) this.host.warn(expr, `\`${typeOf(base)}\` has no field \`${name}\``);
    return null;
  }

  private index(expr: Expr, base: Value, index: Value, isQuiet: boolean): Value {
    if (base === null || index === null) return null;
    if (Array.isArray(base) && typeof index === 'bigint') {
      const at = Number(index);
      const value = base.at(at);
      if (value !== undefined) return value;
      if (!isQuiet) this.host.warn(expr, 'list index out of bounds', 'append `?` to suppress this warning');
      return null;
    }
    if (base instanceof RecordValue && typeof index === 'string') return this.member(expr, base, index, isQuiet);
    if (base instanceof RecordValue && typeof index === 'bigint') {
      const entry = [...base.entries()].at(Number(index));
      if (entry) return entry[1];
      if (!isQuiet) this.host.warn(expr, 'record index out of bounds');
      return null;
    }
    this.host.warn(expr, `cannot index \`${typeOf(base)}\` with \`${typeOf(index)}\``);
    return null;
  }

  private record(items: readonly RecordItem[], scope: Scope, warn: (message: string) => void): Value {
    const fields = new Map<string, Value>();
    for (const item of items) {
      const value = this.evaluate(item.value, scope);
      if (item.kind === 'entry') fields.set(item.key, value);
      else if (value instanceof RecordValue) for (const [name, inner] of value.entries()) fields.set(name, inner);
      else if (value !== null) warn(`expected \`record\` to spread, got \`${typeOf(value)}\``);
    }
    return new RecordValue(fields);
  }

  private list(items: readonly ListItem[], scope: Scope, warn: (message: string) => void): Value {
    const values: Value[] = [];
    for (const item of items) {
      const value = this.evaluate(item.value, scope);
      if (item.kind === 'element') values.push(value);
      else if (Array.isArray(value)) values.push(...value);
      else if (value !== null) warn(`expected \`list\` to spread, got \`${typeOf(value)}\``);
    }
    return values;
  }

  private format(parts: readonly (string | Expr)[], scope: Scope): Value {
    const values = parts.map(part => (typeof part === 'string' ? part : this.evaluate(part, scope)));
    const texts = values.map(value =>
      typeof value === 'string' || value instanceof Secret ? value : printTql(value, { isCompact: true }),
    );
    return texts.some(text => text instanceof Secret) ? Secret.join(texts) : texts.join('');
  }

  private call(expr: CallExpr, scope: Scope): Value {
    const definition = this.host.registry.functions.get(expr.function);
    if (definition) return this.callFunction(definition, expr, scope);
    const aggregate = this.host.registry.aggregates.get(expr.function);
    assert(aggregate !== undefined, `the checker let an unknown function through: ${expr.function}`);
    // An aggregation function as a plain call works on a list.
    const list = expr.args[0] ? this.evaluate(expr.args[0], scope) : null;
    if (list === null) return null;
    if (!Array.isArray(list)) {
      this.host.warn(expr, `\`${expr.function}\` expected \`list\`, got \`${typeOf(list)}\``);
      return null;
    }
    const accumulator = aggregate.create(message => this.host.warn(expr, message));
    for (const value of list) if (value !== null) accumulator.update(value);
    return accumulator.finish();
  }

  private callFunction(definition: FunctionDefinition, expr: CallExpr, scope: Scope): Value {
    const args: (Value | undefined)[] = [];
    let position = 0;
    for (const parameter of definition.parameters) {
      const given = expr.named[parameter.name] ?? (parameter.isNamed ? undefined : expr.args[position++]);
      if (!given) {
        args.push(undefined);
        continue;
      }
      if (given.kind === 'lambda') {
        // Lambdas travel as values of their own kind; only parameters of type `lambda` take them.
        args.push(this.lambda(given, scope) as unknown as Value);
        continue;
      }
      const value = this.evaluate(given, scope);
      if (value === null && !definition.takesNulls) return null;
      if (!accepts(parameter, value)) {
        this.host.warn(given, `\`${definition.name}\` expected \`${typeText(parameter)}\`, got \`${typeOf(value)}\``);
        return null;
      }
      args.push(value);
    }
    return definition.evaluate(args, {
      ...this.host.calls,
      warn: (message, hint) => this.host.warn(expr, message, hint),
    });
  }
}

function hintsOfMissing(name: string, record: RecordValue): readonly string[] {
  const near = nearest(name, record.keys());
  const quiet = 'append `?` to suppress this warning';
  return near === undefined ? [quiet] : [`did you mean \`${near}\`?`, quiet];
}

function accepts(parameter: Parameter, value: Value): boolean {
  const types = typeof parameter.type === 'string' ? [parameter.type] : parameter.type;
  if (value === null || types.includes('any')) return true;
  const actual = typeOf(value);
  return types.some(type => {
    if (type === 'int') return actual === 'int64' || actual === 'uint64';
    if (type === 'float') return actual === 'double';
    if (type === 'number') return actual === 'int64' || actual === 'uint64' || actual === 'double';
    return type === actual;
  });
}

function typeText(parameter: Parameter): string {
  return typeof parameter.type === 'string' ? parameter.type : parameter.type.join(' or ');
}
