/**
 * The meaning of access, literals and calls on values that are there: shared by the interpreter and the compiled form, which
 * differ in how they get at the values, and in nothing else.
 *
 * Invariants
 * I1 nothing here throws: what does not fit is null and one warning.
 * I2 a function sees only arguments that its parameters declare.
 */
import { nearest, type Span } from '../../base/index.ts';
import {
  type ListValue,
  printTql,
  RecordValue,
  rememberTexts,
  Secret,
  textsOf,
  typeOf,
  type Value,
} from '../../data/index.ts';
import type {
  AggregateDefinition,
  CallContext,
  CallExpr,
  Expr,
  FunctionDefinition,
  ListItem,
  Parameter,
  RecordItem,
} from '../../sdk/index.ts';

export interface Warning {
  readonly message: string;
  readonly notes?: readonly string[];
  /** A function gives the hints when they are wanted: looking for a similar name takes time. */
  readonly hints?: readonly string[] | (() => readonly string[]);
}

/** Takes a warning of an expression, or of a part of its text. */
export type Report = (span: Span, warning: Warning) => void;

const QUIET = 'append `?` to suppress this warning';

export function memberOf(base: Value, name: string, isQuiet: boolean, place: Span, report: Report): Value {
  if (base instanceof RecordValue) {
    const value = base.get(name);
    if (value !== undefined) return value;
    if (!isQuiet) report(place, { message: `field \`${name}\` not found`, hints: () => hintsOfMissing(name, base) });
    return null;
  }
  if (base !== null && !isQuiet) report(place, { message: `\`${typeOf(base)}\` has no field \`${name}\`` });
  return null;
}

function hintsOfMissing(name: string, record: RecordValue): readonly string[] {
  const near = nearest(name, record.keys());
  return near === undefined ? [QUIET] : [`did you mean \`${near}\`?`, QUIET];
}

/** The field at a path of the event. */
export function fieldOf(
  expr: { readonly path: readonly string[]; readonly quiet: boolean; readonly places: readonly Span[] },
  event: RecordValue | undefined,
  report: Report,
): Value {
  let value: Value = event ?? null;
  for (let i = 0; i < expr.path.length && value !== null; i++) {
    value = memberOf(value, expr.path[i]!, expr.quiet, expr.places[i]!, report);
  }
  return value;
}

export function indexOf(expr: Extract<Expr, { kind: 'index' }>, base: Value, index: Value, report: Report): Value {
  if (base === null || index === null) return null;
  if (base instanceof RecordValue && typeof index === 'string')
    return memberOf(base, index, expr.quiet, expr.index.span, report);
  if (typeof index === 'bigint' && (Array.isArray(base) || base instanceof RecordValue)) {
    const found = base instanceof RecordValue ? [...base.entries()].at(Number(index))?.[1] : base.at(Number(index));
    if (found !== undefined) return found;
    const message = `${typeOf(base)} index out of bounds`;
    if (!expr.quiet) report(expr.index.span, { message, hints: [QUIET] });
    return null;
  }
  report(expr.span, { message: `cannot index \`${typeOf(base)}\` with \`${typeOf(index)}\`` });
  return null;
}

/** What the items of a literal are, and the JSON texts of those that are fields which nobody changed. */
export interface Items {
  value(item: number): Value;
  text(item: number): string | undefined;
}

/** A later key overwrites the value of the earlier one and keeps its place. */
export function recordOf(items: readonly RecordItem[], { text, value: valueOf }: Items, report: Report): Value {
  const fields = new Map<string, Value>();
  const texts = new Map<string, string>();
  const set = (name: string, value: Value, from: string | undefined): void => {
    fields.set(name, value);
    if (from === undefined) texts.delete(name);
    else texts.set(name, from);
  };
  items.forEach((item, i) => {
    const value = valueOf(i);
    if (item.kind === 'entry') set(item.key, value, text(i));
    else if (value instanceof RecordValue)
      for (const [name, inner] of value.entries()) set(name, inner, value.textOf(name));
    else if (value !== null)
      report(item.value.span, { message: `expected \`record\` to spread, got \`${typeOf(value)}\`` });
  });
  return new RecordValue(fields, texts);
}

export function listOf(items: readonly ListItem[], { text, value: valueOf }: Items, report: Report): Value {
  const values: Value[] = [];
  const texts: (string | undefined)[] = [];
  items.forEach((item, i) => {
    const value = valueOf(i);
    if (item.kind === 'element') {
      texts[values.length] = text(i);
      values.push(value);
    } else if (Array.isArray(value)) {
      const from = textsOf(value as ListValue);
      for (const [at, element] of (value as ListValue).entries()) {
        texts[values.length] = from?.[at];
        values.push(element);
      }
    } else if (value !== null)
      report(item.value.span, { message: `expected \`list\` to spread, got \`${typeOf(value)}\`` });
  });
  if (texts.some(found => found !== undefined)) rememberTexts(values, texts);
  return values;
}

/** A secret in a format string makes a secret of the whole. */
export function formatOf(values: readonly Value[]): Value {
  const texts = values.map(value =>
    typeof value === 'string' || value instanceof Secret ? value : printTql(value, { isCompact: true }),
  );
  return texts.some(text => text instanceof Secret) ? Secret.join(texts) : texts.join('');
}

/** An aggregation function as a plain call works on a list; nulls are ignored. */
export function aggregateOf(expr: CallExpr, definition: AggregateDefinition, list: Value, report: Report): Value {
  if (list === null) return null;
  if (!Array.isArray(list)) {
    report(expr.span, { message: `\`${expr.function}\` expected \`list\`, got \`${typeOf(list)}\`` });
    return null;
  }
  const accumulator = definition.create(message => report(expr.span, { message }));
  for (const value of list as readonly Value[]) if (value !== null) accumulator.update(value);
  return accumulator.finish();
}

/** The expression of each parameter; undefined for an optional one that was left out. */
export function argumentsOf(definition: FunctionDefinition, expr: CallExpr): readonly (Expr | undefined)[] {
  let position = 0;
  return definition.parameters.map(
    ({ isNamed, name }) => expr.named[name] ?? (isNamed ? undefined : expr.args[position++]),
  );
}

/** Calls a function: null for a null argument unless it takes nulls, and one warning for a wrong one. */
export function callOf(
  definition: FunctionDefinition,
  given: readonly (Expr | undefined)[],
  valueOf: (parameter: number) => Value,
  context: CallContext,
  report: Report,
): Value {
  const args: (Value | undefined)[] = [];
  for (let i = 0; i < given.length; i++) {
    const expr = given[i];
    if (!expr) {
      args.push(undefined);
      continue;
    }
    const value = valueOf(i);
    if (expr.kind !== 'lambda') {
      if (value === null && !definition.takesNulls) return null;
      const parameter = definition.parameters[i]!;
      if (!accepts(parameter, value)) {
        const message = `\`${definition.name}\` expected \`${typeText(parameter)}\`, got \`${typeOf(value)}\``;
        report(expr.span, { message });
        return null;
      }
    }
    args.push(value);
  }
  return definition.evaluate(args, context);
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
