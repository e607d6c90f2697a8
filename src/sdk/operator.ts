/**
 * `defineOperator`: one file tells the whole story of an operator: name, arguments, edges, examples, code.
 * An operator that the plan's nodes can express gives `lower`; the others give `create`.
 */
import type { Diagnostic, Span } from '../base/index.ts';
import type { Arguments, ArgumentsOf } from './arguments.ts';
import type { EdgeKind, Node } from './plan.ts';
import type { Sink, Source, StageContext, Transform } from './stage.ts';

export interface OperatorTraits {
  /** What it gives are the rows that it took, each by itself: they can be given to it again. */
  readonly isRowwise?: boolean;
}

/**
 * A body in braces that reads what a source gives (`from_stdin { read_json }`) or prints what a sink takes (`to_stdout {
 * write_json }`). It stands for the same stages written behind or before the operator.
 */
export interface OperatorBody {
  readonly place: 'before' | 'behind';
  /** The operator that stands there when no body is written and events come in. */
  readonly default?: string;
}

/**
 * `from "kafka://topic"` or `to "kafka://topic"`: the operator with what stands behind the scheme as its first argument, and
 * with a body, which is written, said by the ending of the name, or the one for names without ending.
 */
export interface OperatorUri {
  readonly form: 'from' | 'to';
  readonly scheme: string;
  readonly default: string;
}

export interface OperatorExample {
  readonly tql: string;
  /** What the pipeline prints in NDJSON, line by line. */
  readonly out: readonly string[];
}

export interface OperatorDefinition {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** One sentence. */
  readonly summary: string;
  readonly input: readonly EdgeKind[];
  /** One kind, or `input` when the output is what came in. */
  readonly output: EdgeKind | 'input';
  readonly args: Arguments;
  readonly traits?: OperatorTraits;
  readonly body?: OperatorBody;
  readonly uri?: OperatorUri;
  /** Its argument `topic` names what it reads or writes, in the embedded log unless `options` name a cluster. */
  readonly topics?: 'reads' | 'writes';
  /** Of a source of events: the operator that gives the same rows as bytes, for a reader right behind it. */
  readonly bytesForm?: string;
  readonly examples?: readonly OperatorExample[];
  /** Checks constants once they are known; called by `check` (where literal) and again at the start. */
  readonly validate?: (args: never, places: ArgumentPlaces) => readonly Diagnostic[];
  readonly lower?: (args: never) => Node;
  readonly create?: (args: never, context: StageContext) => Source | Transform | Sink;
}

/** Where each argument stands in the text; `operator` is the place of the operator's name. */
export interface ArgumentPlaces {
  readonly operator: Span;
  /** `index`: of a variadic argument, which one. */
  of(argument: string, index?: number): Span;
  /** Place of a key inside an argument that is a record literal; the argument's own place otherwise. */
  ofKey(argument: string, key: string): Span;
}

interface TypedOperator<A extends Arguments> {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly input: readonly EdgeKind[];
  readonly output: EdgeKind | 'input';
  readonly args: A;
  readonly traits?: OperatorTraits;
  readonly body?: OperatorBody;
  readonly uri?: OperatorUri;
  readonly topics?: 'reads' | 'writes';
  readonly bytesForm?: string;
  readonly examples?: readonly OperatorExample[];
  /** Only arguments whose values are known are present. */
  readonly validate?: (args: Partial<ArgumentsOf<A>>, places: ArgumentPlaces) => readonly Diagnostic[];
  readonly lower?: (args: ArgumentsOf<A>) => Node;
  readonly create?: (args: ArgumentsOf<A>, context: StageContext) => Source | Transform | Sink;
}

export function defineOperator<const A extends Arguments>(definition: TypedOperator<A>): OperatorDefinition {
  return definition as OperatorDefinition;
}
