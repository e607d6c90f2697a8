/** Front door of `sdk`: what plugs in is declared with these, and the plan that front ends make of it. */
export {
  Argument,
  type ArgumentKind,
  type ArgumentShape,
  type Arguments,
  type ArgumentsOf,
  type ArgumentValue,
  CONSTANT_KINDS,
  fromValue,
  type SecretText,
  type Summary,
  s,
} from './arguments.ts';
export type * from './checkpoint.ts';
export * from './expression.ts';
export * from './function.ts';
export {
  type ArgumentPlaces,
  defineOperator,
  type OperatorBody,
  type OperatorDefinition,
  type OperatorExample,
} from './operator.ts';
export type * from './plan.ts';
export { makeRegistry, type Registry } from './registry.ts';
export { defineSecretStore, type SecretSources, type SecretStoreDefinition } from './secret-store.ts';
export * from './services.ts';
export type * from './stage.ts';
