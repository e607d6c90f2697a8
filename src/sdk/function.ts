/**
 * `defineFunction` and `defineAggregate`: scalar functions over values, aggregation functions over streams of values.
 *
 * Null in, null out, unless a function says that it takes nulls. An argument of a type that the function does not take
 * gives null and one warning; the function's code sees only what its parameters declare.
 */
import type { Value } from '../data/index.ts';

export type ValueType =
  | 'any'
  | 'bool'
  | 'int'
  | 'float'
  /** int, uint or float */
  | 'number'
  | 'string'
  | 'blob'
  | 'time'
  | 'duration'
  | 'ip'
  | 'subnet'
  | 'secret'
  | 'list'
  | 'record'
  | 'lambda';

export interface Parameter {
  readonly name: string;
  readonly type: ValueType | readonly ValueType[];
  readonly isOptional?: boolean;
  /** Given by name only. */
  readonly isNamed?: boolean;
}

export type Lambda = (args: readonly Value[]) => Value;

export interface CallContext {
  /** Wall time in milliseconds; the pipeline's start for constants. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
  secret(name: string): string | undefined;
  warn(message: string, more?: { readonly notes?: readonly string[]; readonly hints?: readonly string[] }): void;
}

export interface FunctionExample {
  readonly tql: string;
  /** The result as TQL prints it. */
  readonly out: string;
}

export interface FunctionDefinition {
  readonly name: string;
  readonly summary: string;
  readonly category:
    | 'text'
    | 'conversion'
    | 'json'
    | 'time'
    | 'number'
    | 'list'
    | 'record'
    | 'hash'
    | 'network'
    | 'runtime';
  readonly parameters: readonly Parameter[];
  readonly returns: ValueType;
  /** The same arguments always give the same result. */
  readonly isPure: boolean;
  readonly takesNulls?: boolean;
  readonly examples: readonly FunctionExample[];
  /** `args` in the order of `parameters`; undefined for an optional one that was left out. */
  readonly evaluate: (args: readonly (Value | undefined)[], context: CallContext) => Value;
}

export function defineFunction(definition: FunctionDefinition): FunctionDefinition {
  return definition;
}

/** Running state of one group and one aggregate. */
export interface Accumulator {
  update(value: Value): void;
  merge(other: Accumulator): void;
  finish(): Value;
  /** Durable form; `AggregateDefinition.decode` is its inverse. */
  encode(): Value;
}

export interface AggregateDefinition {
  readonly name: string;
  readonly summary: string;
  /** Whether `f()` without an argument is allowed (`count()`). */
  readonly isArgumentOptional?: boolean;
  readonly examples: readonly FunctionExample[];
  /** `warn` is called at most once an accumulator. */
  readonly create: (warn: (message: string) => void) => Accumulator;
  readonly decode: (state: Value, warn: (message: string) => void) => Accumulator;
}

export function defineAggregate(definition: AggregateDefinition): AggregateDefinition {
  return definition;
}
