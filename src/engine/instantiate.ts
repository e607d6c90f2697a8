/**
 * From plan to receivers: binds constants, makes stages with their contexts, ties them together from the end to the start.
 *
 * Invariants
 * I1 nothing runs before everything is made: an error here leaves nothing behind that reads or writes.
 * I2 a chain inside a balance confirms to its balance, every other leaf to the pipeline's epochs.
 */
import { assert, type Span } from '../base/index.ts';
import type { Value } from '../data/index.ts';
import type {
  Batch,
  Chain,
  PluggedNode,
  RowFailure,
  Sink,
  SinkHealth,
  Source,
  Stage,
  StageContext,
  Transform,
} from '../sdk/index.ts';
import { Aggregation } from './aggregate.ts';
import { bindArguments } from './arguments.ts';
import { BalanceReceiver } from './balance.ts';
import type { DeadLetters } from './dead-letters.ts';
import { Environment } from './environment.ts';
import { Confirmations, type Epochs } from './epochs.ts';
import { engineErrors } from './errors.ts';
import { Compiler } from './expression/compiler.ts';
import { letterOf } from './letter.ts';
import { type LedgerLine, makeLine } from './ledger.ts';
import { pathsReadBehind } from './paths.ts';
import { predicateOf, splitterOf } from './predicate.ts';
import { Projection, Removal } from './project.ts';
import {
  type Accounting,
  BranchReceiver,
  Edge,
  FanOutReceiver,
  MergeReceiver,
  type Receiver,
  TransformReceiver,
} from './receiver.ts';
import { type SinkHost, SinkReceiver } from './sink-receiver.ts';
import { Filter, Limit } from './simple-stages.ts';
import { TapPoint } from './tap.ts';
import type { TaskHost } from './task.ts';

export interface Parts {
  readonly host: TaskHost;
  readonly epochs: Epochs;
  readonly deadLetters: DeadLetters;
  /** Snapshots by stage id. */
  readonly states: Readonly<Record<string, string>>;
  failed(stageId: string, error: unknown): void;
}

export interface Instance {
  readonly source: Source;
  /** The edge behind the source. */
  readonly edge: Edge;
  readonly root: Receiver;
  readonly lines: readonly LedgerLine[];
  /** Frees what sinks hold after a failure. */
  abort(): void;
  health(): readonly ({ readonly stageId: string; readonly endpoint: string } & SinkHealth)[];
  tapPoint(stage: string | undefined): TapPoint | undefined;
}

/** To whom the leaves of a chain report. */
interface Leaves {
  addLeaf(): (number: number) => void;
  /** Present inside a balance whose chain may be given other rows of a batch again. */
  readonly returned?: (batch: Batch) => void;
}

export function instantiate(plan: { readonly id: string; readonly chain: Chain }, parts: Parts): Instance {
  return new Builder(plan.id, parts).build(plan.chain);
}

class Builder {
  private readonly pipelineId: string;
  private readonly parts: Parts;
  private readonly lines: LedgerLine[] = [];
  private readonly taps = new Map<string, TapPoint>();
  private readonly sinks: { readonly stageId: string; readonly sink: Sink }[] = [];

  constructor(pipelineId: string, parts: Parts) {
    this.pipelineId = pipelineId;
    this.parts = parts;
  }

  build(chain: Chain): Instance {
    const environment = new Environment();
    const scopes = this.bindLets(chain, environment);
    const first = chain.findIndex(stage => stage.node.kind !== 'let');
    const head = chain[first];
    if (head?.node.kind !== 'source') throw engineErrors.openStart({ pipeline: this.pipelineId });
    const line = this.addLine(head, 'source');
    const paths = pathsReadBehind(chain, first + 1);
    const source = this.create(head, head.node, scopes[first]!, line, paths) as Source;
    const root = this.chain(chain, first + 1, scopes, undefined, this.parts.epochs.leaves, '');
    const edge = new Edge(line, this.tapPointOf(head.id), root);
    return {
      source,
      edge,
      root,
      lines: [...this.lines].sort((a, b) => byPlace(a.stageId, b.stageId)),
      abort: () => {
        for (const { sink } of this.sinks) sink.abort?.();
      },
      health: () =>
        this.sinks.flatMap(({ stageId, sink }) =>
          sink.health ? [{ stageId, endpoint: sink.endpoint ?? stageId, ...sink.health() }] : [],
        ),
      tapPoint: stage => this.findTap(stage),
    };
  }

  /** The scope that each stage sees: bindings before it. */
  private bindLets(chain: Chain, outer: Environment): readonly Environment[] {
    let scope = outer;
    return chain.map(stage => {
      const seen = scope;
      if (stage.node.kind === 'let') {
        scope = new Environment(seen);
        scope.bind(stage.node.name, this.compiler(seen, stage, undefined).constant(stage.node.value));
      }
      return seen;
    });
  }

  /** Receivers of `chain` from stage `from` on; `tail` takes what leaves the chain. `suffix` tells balance arms apart. */
  private chain(
    chain: Chain,
    from: number,
    scopes: readonly Environment[],
    tail: Receiver | undefined,
    leaves: Leaves,
    suffix: string,
  ): Receiver {
    let next = tail;
    for (let index = chain.length - 1; index >= from; index--) {
      const stage = chain[index]!;
      if (stage.node.kind === 'let') continue;
      next = this.stage(chain, index, scopes[index]!, next, leaves, suffix);
    }
    if (!next) throw engineErrors.openEnd({ pipeline: this.pipelineId });
    return next;
  }

  private stage(
    chain: Chain,
    index: number,
    scope: Environment,
    next: Receiver | undefined,
    leaves: Leaves,
    suffix: string,
  ): Receiver {
    const stage = chain[index]!;
    const { node } = stage;
    const id = stage.id + suffix;
    if (node.kind === 'sink') return this.sink(stage, node, scope, leaves, suffix);
    if (node.kind === 'balance') return this.balance(stage, node, scope, leaves, suffix);
    const line = this.addLine(stage, 'transform', suffix);
    if (node.kind === 'branch') {
      const isOpen = (way: Chain): boolean => way.length === 0 || way.at(-1)!.output !== 'void';
      const ways = Number(isOpen(node.then)) + Number(isOpen(node.otherwise));
      if (ways > 0 && !next) throw engineErrors.openEnd({ pipeline: this.pipelineId });
      const merge = next && new MergeReceiver(ways, next);
      const way = (inner: Chain): Receiver =>
        inner.length === 0
          ? merge!
          : this.chain(inner, 0, this.bindLets(inner, scope), isOpen(inner) ? merge : undefined, leaves, suffix);
      const split = splitterOf(node.condition, this.compiler(scope, stage, line));
      return new BranchReceiver(line, split, way(node.then), way(node.otherwise));
    }
    if (!next) throw engineErrors.openEnd({ pipeline: this.pipelineId });
    const out = new Edge(line, this.tapPointOf(id), next);
    if (node.kind === 'fan-out') {
      // Rows of the side chain cannot go to another endpoint by giving them back: the main stream has them, too.
      const side = this.chain(
        node.chain,
        0,
        this.bindLets(node.chain, scope),
        undefined,
        withoutReturn(leaves),
        suffix,
      );
      return new FanOutReceiver(line, side, out, next);
    }
    assert(node.kind !== 'source', 'I1: a source stands only at the start');
    const { transform, accounting } = this.transform(chain, index, scope, line);
    const state = this.parts.states[id];
    if (state !== undefined) transform.restore?.(state);
    return new TransformReceiver({ stageId: id, transform, accounting, line, out, next, states: this.parts.epochs });
  }

  private transform(
    chain: Chain,
    index: number,
    scope: Environment,
    line: LedgerLine,
  ): { transform: Transform; accounting: Accounting } {
    const stage = chain[index]!;
    const { node } = stage;
    const compiler = this.compiler(scope, stage, line);
    switch (node.kind) {
      case 'filter':
        return { transform: new Filter(predicateOf(node.predicate, compiler)), accounting: 'filters' };
      case 'project':
        return { transform: new Projection(node, compiler), accounting: 'filters' };
      case 'remove':
        return { transform: new Removal(node.fields, compiler), accounting: 'filters' };
      case 'limit':
        return { transform: new Limit(node.count), accounting: 'filters' };
      case 'aggregate':
        return { transform: new Aggregation(node, compiler, this.parts.host.registry), accounting: 'converts' };
      case 'opaque': {
        const paths = pathsReadBehind(chain, index + 1);
        const transform = this.create(stage, node, scope, line, paths) as Transform;
        const isConversion = stage.input !== stage.output || node.definition.traits?.isStateful === true;
        return { transform, accounting: isConversion ? 'converts' : 'filters' };
      }
      default:
        throw new Error(`I1: ${node.kind} is no transform`);
    }
  }

  private sink(stage: Stage, node: PluggedNode, scope: Environment, leaves: Leaves, suffix: string): Receiver {
    const line = this.addLine(stage, 'sink', suffix);
    const sink = this.create(stage, node, scope, line, []) as Sink;
    this.sinks.push({ stageId: line.stageId, sink });
    const confirm = leaves.addLeaf();
    const host: SinkHost = {
      deadLetter: (batch, row, failure) => this.addLetter(line.stageId, batch, row, failure),
      confirm,
      failed: error => this.parts.failed(line.stageId, error),
      ...(leaves.returned && { returned: leaves.returned }),
    };
    return new SinkReceiver(sink, line, host);
  }

  private balance(
    stage: Stage,
    node: Extract<Stage['node'], { kind: 'balance' }>,
    scope: Environment,
    leaves: Leaves,
    suffix: string,
  ): Receiver {
    const list = this.compiler(scope, stage, undefined).constant(node.list);
    if (!Array.isArray(list)) throw engineErrors.notAList({ name: node.variable, type: typeof list });
    if (list.length === 0) throw engineErrors.emptyList();
    const line = this.addLine(stage, 'transform', suffix);
    const receiver = new BalanceReceiver(line, {
      confirm: leaves.addLeaf(),
      failed: error => this.parts.failed(line.stageId, error),
    });
    // Rows given back are run through the other arm's chain again: only chains that leave rows as they are allow it.
    const canReturn = node.chain.every(inner => inner.node.kind === 'sink' || inner.node.kind === 'filter');
    list.forEach((element: Value, arm) => {
      const inner = new Environment(scope);
      inner.bind(node.variable, element);
      const confirmations = new Confirmations(-1, marker => receiver.confirmArm(arm, marker));
      const armLeaves: Leaves = {
        addLeaf: () => confirmations.addLeaf(),
        ...(canReturn && { returned: (batch: Batch) => receiver.takeBack(arm, batch) }),
      };
      const scopes = this.bindLets(node.chain, inner);
      receiver.attach(this.chain(node.chain, 0, scopes, undefined, armLeaves, `${suffix}#${arm + 1}`));
    });
    return receiver;
  }

  private create(
    stage: Stage,
    node: PluggedNode,
    scope: Environment,
    line: LedgerLine,
    paths: readonly (readonly string[])[],
  ): Source | Transform | Sink {
    const { definition } = node;
    const compiler = this.compiler(scope, stage, line);
    const args = bindArguments(definition, node.args, compiler);
    const context = this.context(stage, line, compiler, paths);
    assert(definition.create !== undefined, `I1: ${definition.name} has neither create nor a node of the plan`);
    return definition.create(args as never, context);
  }

  private context(
    stage: Stage,
    line: LedgerLine,
    compiler: Compiler,
    paths: readonly (readonly string[])[],
  ): StageContext {
    const { host } = this.parts;
    return {
      io: host.io,
      arena: host.arena,
      pipelineId: this.pipelineId,
      stageId: line.stageId,
      span: stage.span,
      paths,
      compile: expr => compiler.compile(expr),
      warn: warning => compiler.warn(warning),
      deadLetter: (batch, row, failure) => {
        line.deadLettered++;
        this.addLetter(line.stageId, batch, row, failure);
      },
      count: (counter, by) => {
        if (counter === 'retried') line.retried += by;
        else if (counter === 'possible_duplicates') line.possibleDuplicates += by;
        else line.warnings += by;
      },
      fail: error => this.parts.failed(line.stageId, error),
      service: token => host.service(token),
    };
  }

  private addLetter(stageId: string, batch: Batch, row: number, failure: RowFailure): void {
    this.parts.deadLetters.add(letterOf(this.parts.host.io, this.pipelineId, stageId, batch, row, failure));
  }

  private compiler(scope: Environment, stage: { readonly span: Span }, line: LedgerLine | undefined): Compiler {
    return new Compiler({
      registry: this.parts.host.registry,
      environment: scope,
      host: this.parts.host,
      span: stage.span,
      onWarning: () => {
        if (line) line.warnings++;
      },
    });
  }

  private addLine(stage: Stage, role: LedgerLine['role'], suffix = ''): LedgerLine {
    const line = makeLine(stage.id + suffix, stage.name, role);
    this.lines.push(line);
    return line;
  }

  private tapPointOf(id: string): TapPoint {
    let point = this.taps.get(id);
    if (!point) {
      point = new TapPoint();
      this.taps.set(id, point);
    }
    return point;
  }

  private findTap(stage: string | undefined): TapPoint | undefined {
    if (stage === undefined) {
      const last = [...this.taps.keys()].sort(byPlace).at(-1);
      return last === undefined ? undefined : this.taps.get(last);
    }
    const line = this.lines.find(candidate => candidate.stageId === stage || candidate.name === stage);
    return line && this.taps.get(line.stageId);
  }
}

/** Stages in the order of the text: numbers by value, what the command line adds at its ends. */
function byPlace(a: string, b: string): number {
  const parts = (id: string): (number | string)[] =>
    id
      .split(/[.#]/)
      .map(part =>
        part === 'in' ? -1 : part === 'out' ? Number.MAX_SAFE_INTEGER : /^\d+$/.test(part) ? Number(part) : part,
      );
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x, y] = [left[i] ?? -2, right[i] ?? -2];
    if (x === y) continue;
    return typeof x === 'number' && typeof y === 'number' ? x - y : String(y).localeCompare(String(x));
  }
  return 0;
}

function withoutReturn(leaves: Leaves): Leaves {
  return { addLeaf: () => leaves.addLeaf() };
}
