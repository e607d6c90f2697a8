/** Values that are known before a pipeline starts: literals, lists and records of them, and variables bound to such. */
import { RecordValue, type Value } from '../../data/index.ts';
import type { Expr } from '../../sdk/index.ts';

/** Undefined when the value is known only at the start (function calls, secrets) or never (fields). */
export function literalValue(expr: Expr, lets: ReadonlyMap<string, Expr>): Value | undefined {
  switch (expr.kind) {
    case 'constant':
      return expr.value;
    case 'variable': {
      const bound = lets.get(expr.name);
      return bound && literalValue(bound, lets);
    }
    case 'list': {
      const values: Value[] = [];
      for (const item of expr.items) {
        const value = item.kind === 'element' ? literalValue(item.value, lets) : undefined;
        if (value === undefined) return undefined;
        values.push(value);
      }
      return values;
    }
    case 'record': {
      const fields = new Map<string, Value>();
      for (const item of expr.items) {
        const value = item.kind === 'entry' ? literalValue(item.value, lets) : undefined;
        if (value === undefined || item.kind !== 'entry') return undefined;
        fields.set(item.key, value);
      }
      return new RecordValue(fields);
    }
    default:
      return undefined;
  }
}
