/** Everything that plugs in, as explicit lists put together by `builtins`; front end and engine look names up here. */
import type { AggregateDefinition, FunctionDefinition } from './function.ts';
import type { OperatorDefinition } from './operator.ts';

export interface Registry {
  readonly operators: ReadonlyMap<string, OperatorDefinition>;
  readonly functions: ReadonlyMap<string, FunctionDefinition>;
  readonly aggregates: ReadonlyMap<string, AggregateDefinition>;
}

export function makeRegistry(lists: {
  operators: readonly OperatorDefinition[];
  functions: readonly FunctionDefinition[];
  aggregates: readonly AggregateDefinition[];
}): Registry {
  const operators = new Map<string, OperatorDefinition>();
  for (const definition of lists.operators) {
    for (const name of [definition.name, ...(definition.aliases ?? [])]) operators.set(name, definition);
  }
  return {
    operators,
    functions: new Map(lists.functions.map(definition => [definition.name, definition])),
    aggregates: new Map(lists.aggregates.map(definition => [definition.name, definition])),
  };
}
