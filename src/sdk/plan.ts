/**
 * The plan: what a pipeline text compiles to, for both languages. A small closed set of nodes in chains; nodes that
 * fan out hold chains of their own. The engine runs nodes; everything that plugs in arrives as `source`, `opaque` or
 * `sink` with the definition that made it, so the engine never names a builtin.
 *
 *   chain   = stage*                              events or bytes flow from one stage to the next
 *   branch  = condition, then-chain, else-chain   each event takes one; what leaves either goes on behind the branch
 *   fan-out = chain                               a copy of each event ends in the chain; the original goes on
 *   balance = list, variable, chain               the chain once per element, each batch goes to one that is ready
 *
 * Invariants
 * I1 a stage's id is stable: the path of statement numbers that leads to it ("3", "4.then.1"); edges are named by the
 *    stage that they leave. Adding a pipeline elsewhere or running it again changes no id.
 * I2 `let` nodes bind before anything runs and see only bindings before them; inside a chain they are local to it.
 */
import type { Span } from '../base/index.ts';
import type { ArgumentValue } from './arguments.ts';
import type { Assignment, Expr, FieldExpr } from './expression.ts';
import type { OperatorDefinition } from './operator.ts';

export type EdgeKind = 'void' | 'bytes' | 'events';

export interface NamedExpr {
  /** Output field path. */
  readonly path: readonly string[];
  readonly value: Expr;
}

export interface AggregateCall {
  readonly path: readonly string[];
  readonly aggregate: string;
  readonly args: readonly Expr[];
  readonly named: Readonly<Record<string, Expr>>;
  readonly span: Span;
}

/** When an aggregation gives results, what they are about and in which rows they stand. */
export interface Emission {
  /** The end of the input, each so many events, or each so many milliseconds. */
  readonly boundary: { readonly kind: 'final' } | { readonly kind: 'events' | 'timer'; readonly every: number };
  /** A boundary forgets what it was given; without, values run on. */
  readonly resets: boolean;
  /** One record a group; the event that reaches the boundary, with its group's values; every event with them. */
  readonly output: 'summary' | 'trigger' | 'events';
  /** Groups, and with `events` also events, that are kept at most. */
  readonly limit: number;
}

/** An operator that brings its own running part: its definition and its arguments, constants not yet evaluated. */
export interface PluggedNode {
  readonly kind: 'source' | 'opaque' | 'sink';
  readonly definition: OperatorDefinition;
  readonly args: Readonly<Record<string, ArgumentValue>>;
}

export type Node =
  | PluggedNode
  | { readonly kind: 'let'; readonly name: string; readonly value: Expr }
  | { readonly kind: 'filter'; readonly predicate: Expr }
  /** `set`: all values are computed on the original event, moved fields vanish, then values are assigned in order. */
  | { readonly kind: 'project'; readonly mode: 'set' | 'select'; readonly assignments: readonly Assignment[] }
  | { readonly kind: 'remove'; readonly fields: readonly FieldExpr[] }
  | { readonly kind: 'limit'; readonly count: number }
  | {
      readonly kind: 'aggregate';
      readonly groups: readonly NamedExpr[];
      readonly aggregates: readonly AggregateCall[];
      readonly order: readonly ('group' | 'aggregate')[];
      readonly emission: Emission;
    }
  | { readonly kind: 'branch'; readonly condition: Expr; readonly then: Chain; readonly otherwise: Chain }
  | { readonly kind: 'fan-out'; readonly chain: Chain }
  | { readonly kind: 'balance'; readonly list: Expr; readonly variable: string; readonly chain: Chain };

export interface Stage {
  readonly id: string;
  /** What the user wrote, shortened to the operator's name for display. */
  readonly name: string;
  readonly span: Span;
  readonly input: EdgeKind;
  readonly output: EdgeKind;
  readonly node: Node;
}

export type Chain = readonly Stage[];

export interface Plan {
  /** The pipeline's id: stable across restarts, default name of its consumer group. */
  readonly id: string;
  readonly chain: Chain;
}
