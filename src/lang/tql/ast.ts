/** The syntax tree of TQL, as written: nothing is resolved yet. Every node has the span of its text. */
import type { Span } from '../../base/index.ts';
import type { Value } from '../../data/index.ts';

interface Node {
  readonly span: Span;
}

export type Expression = Node &
  (
    | { readonly kind: 'literal'; readonly value: Value }
    | { readonly kind: 'format'; readonly parts: readonly (string | Expression)[] }
    | { readonly kind: 'name'; readonly name: string }
    | { readonly kind: 'variable'; readonly name: string; readonly package: string | undefined }
    | { readonly kind: 'meta'; readonly name: string }
    | { readonly kind: 'this' }
    | { readonly kind: 'underscore' }
    | { readonly kind: 'list'; readonly items: readonly Item[] }
    | { readonly kind: 'record'; readonly fields: readonly RecordField[] }
    | { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
    | { readonly kind: 'call'; readonly name: string; readonly nameSpan: Span; readonly args: readonly Argument[] }
    | {
        readonly kind: 'method';
        readonly base: Expression;
        readonly name: string;
        readonly nameSpan: Span;
        readonly args: readonly Argument[];
      }
    | { readonly kind: 'member'; readonly base: Expression; readonly name: string; readonly nameSpan: Span }
    | { readonly kind: 'index'; readonly base: Expression; readonly index: Expression }
    | { readonly kind: 'quiet'; readonly base: Expression }
    | { readonly kind: 'unary'; readonly operator: '+' | '-' | 'not' | 'move'; readonly operand: Expression }
    | {
        readonly kind: 'binary';
        readonly operator: BinaryOperator;
        readonly left: Expression;
        readonly right: Expression;
      }
    | {
        readonly kind: 'choose';
        readonly then: Expression;
        readonly condition: Expression;
        readonly otherwise: Expression | undefined;
      }
    | { readonly kind: 'fallback'; readonly value: Expression; readonly fallback: Expression }
    | { readonly kind: 'lambda'; readonly parameters: readonly string[]; readonly body: Expression }
    | { readonly kind: 'assignment'; readonly target: Expression; readonly value: Expression }
    /** `..` in a pattern: whatever else there is. */
    | { readonly kind: 'rest' }
    /** What did not parse. */
    | { readonly kind: 'bad' }
  );

export type BinaryOperator =
  | '*'
  | '/'
  | '+'
  | '-'
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'in'
  | 'not in'
  | 'and'
  | 'or';

export interface Item {
  readonly isSpread: boolean;
  readonly value: Expression;
}

export type RecordField =
  | { readonly kind: 'entry'; readonly key: string; readonly keySpan: Span; readonly value: Expression }
  | { readonly kind: 'spread'; readonly value: Expression };

export interface Argument extends Node {
  /** Undefined for a positional one. */
  readonly name: string | undefined;
  readonly nameSpan: Span | undefined;
  readonly value: Expression;
}

export type Pattern = Node &
  (
    | { readonly kind: 'any' }
    | { readonly kind: 'value'; readonly value: Expression }
    | { readonly kind: 'range'; readonly low: Expression; readonly high: Expression }
    /** A record or list with `..` in it, which takes the subject apart. */
    | { readonly kind: 'shape'; readonly value: Expression }
  );

export interface Arm extends Node {
  readonly patterns: readonly Pattern[];
  readonly guard: Expression | undefined;
  readonly body: Pipeline;
}

export type Statement = Node &
  (
    | { readonly kind: 'let'; readonly name: string; readonly nameSpan: Span; readonly value: Expression }
    | {
        readonly kind: 'if';
        readonly condition: Expression;
        readonly then: Pipeline;
        readonly otherwise: Pipeline | undefined;
      }
    | {
        readonly kind: 'match';
        readonly subject: Expression;
        readonly arms: readonly Arm[];
        /** Every arm did parse. */
        readonly isWhole: boolean;
      }
    | { readonly kind: 'assignment'; readonly target: Expression; readonly value: Expression }
    | { readonly kind: 'operator'; readonly name: string; readonly nameSpan: Span; readonly args: readonly Argument[] }
    /** What did not parse, and the variable that it would have bound. */
    | { readonly kind: 'bad'; readonly binds: string | undefined }
  );

export interface Pipeline extends Node {
  readonly statements: readonly Statement[];
}
