/**
 * From plan to receivers: binds constants, makes stages with their contexts, ties them together from the end to the start.
 *
 * Invariants
 * I1 nothing runs before everything is made: an error here leaves nothing behind that reads or writes.
 * I2 a chain inside a balance reports to its arm, every other leaf to the pipeline.
 * I3 an arm that is made again has the lines, taps and ids that it had.
 */
import type { Value } from '../data/index.ts';
import type { Chain, Node, PluggedNode, Sink, SinkHealth, Source, Stage, Transform } from '../sdk/index.ts';
import { Aggregation } from './aggregate.ts';
import { type ArmLeaf, BalanceReceiver } from './balance.ts';
import { type ContextParts, contextOf, createStage, refuse } from './context.ts';
import { Environment } from './environment.ts';
import { Confirmations, type Epochs } from './epochs.ts';
import { engineErrors } from './errors.ts';
import { Compiler } from './expression/compiler.ts';
import { countIn, type EdgeName, type LedgerKind, type LedgerLine, makeLine } from './ledger.ts';
import { pathsReadBehind } from './paths.ts';
import { predicateOf, splitterOf } from './predicate.ts';
import { Projection, Removal } from './project.ts';
import {
  BranchReceiver,
  Edge,
  FanOutReceiver,
  MergeReceiver,
  type Receiver,
  type StateTaker,
  TransformReceiver,
} from './receiver.ts';
import { Repeats } from './repeats.ts';
import { SinkReceiver } from './sink-receiver.ts';
import { Filter, Limit } from './simple-stages.ts';
import type { Tap } from './tap.ts';
import { byPlace, TapPoints } from './tap-points.ts';

export interface Parts extends ContextParts {
  readonly epochs: Epochs;
  /** Snapshots by stage id. */
  readonly states: Readonly<Record<string, string>>;
}

export interface Instance {
  readonly source: Source;
  /** The edge behind the source. */
  readonly edge: Edge;
  readonly root: Receiver;
  readonly lines: readonly LedgerLine[];
  /** Some stage has a state. */
  readonly keepsState: boolean;
  health(): readonly ({ readonly stageId: string; readonly endpoint: string } & SinkHealth)[];
  /** Bytes that stages hold, by stage id. */
  buffers(): readonly { readonly stageId: string; readonly bytes: number }[];
  openTap(stage: string | undefined, tap: Tap): () => void;
}

/** To whom the leaves and states of a chain report. */
interface Leaves {
  addLeaf(): (number: number) => void;
  failed(stageId: string, error: unknown): void;
  readonly states: StateTaker;
  /** Present inside a balance whose chain may be given rows of a batch again. */
  readonly returned?: ArmLeaf['returned'];
  /** Tells the arms of balances apart in the ids of stages. */
  readonly suffix: string;
}

/** Where a chain stands: the edge that leads into it, and what takes what leaves it. */
interface Surroundings {
  readonly from: EdgeName;
  readonly tail: Receiver | undefined;
}

export function instantiate(plan: { readonly id: string; readonly chain: Chain }, parts: Parts): Instance {
  return new Builder(plan.id, parts).build(plan.chain);
}

class Builder {
  private readonly pipelineId: string;
  private readonly parts: Parts;
  private readonly lines = new Map<string, LedgerLine>();
  private readonly taps: TapPoints;
  private readonly sinks = new Map<string, Sink>();
  private readonly repeats: Repeats;
  private keepsState = false;

  constructor(pipelineId: string, parts: Parts) {
    this.pipelineId = pipelineId;
    this.parts = parts;
    this.repeats = new Repeats(parts.host.io.clock);
    this.taps = new TapPoints(pipelineId);
  }

  build(chain: Chain): Instance {
    const environment = new Environment();
    const scopes = this.bindLets(chain, environment);
    const first = chain.findIndex(stage => stage.node.kind !== 'let');
    const head = chain[first];
    if (head?.node.kind !== 'source') throw engineErrors.openStart({ pipeline: this.pipelineId });
    const leaves: Leaves = {
      addLeaf: () => this.parts.epochs.leaves.addLeaf(),
      failed: (stageId, error) => this.parts.failed(stageId, error),
      states: this.parts.epochs,
      suffix: '',
    };
    const line = this.lineOf(head, 'source', leaves, { stage: '' });
    const root = this.chain(chain, first + 1, scopes, { from: { stage: head.id }, tail: undefined }, leaves);
    const { keepsState } = this;
    const paths = pathsReadBehind(chain, first + 1);
    const source = this.create(head, head.node, scopes[first]!, line, leaves, { paths, keepsState }) as Source;
    const lines = [...this.lines.values()].sort((a, b) => byPlace(a.stageId, b.stageId));
    const { credits } = this.parts;
    return {
      source,
      edge: this.edge(line, undefined, root),
      root,
      lines,
      keepsState,
      health: () => [
        ...[source.health?.()].flatMap(health =>
          health ? [{ stageId: head.id, endpoint: head.name, ...health }] : [],
        ),
        ...[...this.sinks].flatMap(([stageId, sink]) =>
          sink.health ? [{ stageId, endpoint: sink.endpoint ?? stageId, ...sink.health() }] : [],
        ),
      ],
      buffers: () => [
        { stageId: head.id, bytes: credits.usedBytes },
        ...[...this.sinks].map(([stageId, sink]) => ({ stageId, bytes: sink.bufferedBytes ?? 0 })),
      ],
      openTap: (stage, tap) => this.taps.open(lines, stage, tap),
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

  /** Receivers of `chain` from stage `start` on. */
  private chain(
    chain: Chain,
    start: number,
    scopes: readonly Environment[],
    { from, tail }: Surroundings,
    leaves: Leaves,
  ): Receiver {
    let next = tail;
    for (let index = chain.length - 1; index >= start; index--) {
      const stage = chain[index]!;
      if (stage.node.kind === 'let') continue;
      const before = chain.slice(start, index).findLast(({ node }) => node.kind !== 'let');
      const into = before ? { stage: before.id + leaves.suffix } : from;
      next = this.stage(chain, index, scopes[index]!, { from: into, tail: next }, leaves);
    }
    if (!next) throw engineErrors.openEnd({ pipeline: this.pipelineId });
    return next;
  }

  /** A chain inside a stage, which sees the scope of that stage. */
  private inner(chain: Chain, scope: Environment, surroundings: Surroundings, leaves: Leaves): Receiver {
    return this.chain(chain, 0, this.bindLets(chain, scope), surroundings, leaves);
  }

  private stage(chain: Chain, index: number, scope: Environment, surroundings: Surroundings, leaves: Leaves): Receiver {
    const stage = chain[index]!;
    const { node } = stage;
    const { from, tail: next } = surroundings;
    switch (node.kind) {
      case 'sink':
        return this.sink(stage, node, scope, from, leaves);
      case 'balance':
        return this.balance(stage, node, scope, from, leaves);
      case 'branch':
        return this.branch(stage, node, scope, surroundings, leaves);
      case 'source':
      case 'let':
        throw new Error(`I1: ${node.kind} stands only where it was dealt with`);
      default:
    }
    if (!next) throw engineErrors.openEnd({ pipeline: this.pipelineId });
    if (node.kind === 'fan-out') return this.fanOut(stage, node, scope, from, next, leaves);
    const line = this.lineOf(stage, converts(stage) ? 'converts' : 'filters', leaves, from);
    const transform = this.transform(chain, index, node, scope, line, leaves);
    if (transform.snapshot) this.keepsState = true;
    const state = this.parts.states[line.stageId];
    if (state !== undefined) transform.restore?.(state);
    return new TransformReceiver({
      stageId: line.stageId,
      transform,
      line,
      out: this.edge(line, undefined, next),
      next,
      states: leaves.states,
      clock: this.parts.host.io.clock,
    });
  }

  private transform(
    chain: Chain,
    index: number,
    node: Exclude<Node, { kind: 'let' | 'source' | 'sink' | 'balance' | 'branch' | 'fan-out' }>,
    scope: Environment,
    line: LedgerLine,
    leaves: Leaves,
  ): Transform {
    const stage = chain[index]!;
    const compiler = this.compiler(scope, stage, line);
    switch (node.kind) {
      case 'filter':
        return new Filter(predicateOf(node.predicate, compiler));
      case 'project':
        return new Projection(node, compiler);
      case 'remove':
        return new Removal(node.fields, compiler);
      case 'limit':
        return new Limit(node.count);
      case 'aggregate':
        return new Aggregation(node, {
          compiler,
          registry: this.parts.host.registry,
          clock: this.parts.host.io.clock,
          refuse: (batch, row, failure) =>
            refuse(this.parts, this.pipelineId, line, batch, row, failure, error => leaves.failed(line.stageId, error)),
        });
      case 'opaque': {
        const paths = pathsReadBehind(chain, index + 1);
        return this.create(stage, node, scope, line, leaves, { paths }) as Transform;
      }
      default:
        throw new Error(`I1: ${node.kind} is no transform`);
    }
  }

  private branch(
    stage: Stage,
    node: Extract<Node, { kind: 'branch' }>,
    scope: Environment,
    { from, tail: next }: Surroundings,
    leaves: Leaves,
  ): Receiver {
    const id = stage.id + leaves.suffix;
    const ways = [
      { way: 'then', chain: node.then },
      { way: 'else', chain: node.otherwise },
    ];
    const open = ways.filter(({ chain }) => isOpen(chain));
    if (open.length > 0 && !next) throw engineErrors.openEnd({ pipeline: this.pipelineId });
    const joins = open.map(({ chain, way }) => {
      const last = chain.findLast(({ node: inner }) => inner.kind !== 'let');
      return last ? { stage: last.id + leaves.suffix } : { stage: id, way };
    });
    const line = this.lineOf(stage, 'branches', leaves, from, joins);
    const merge = next && new MergeReceiver(open.length, this.edge(line, undefined, next), next);
    const [then, otherwise] = ways.map(({ chain, way }) => {
      const isEmpty = chain.every(({ node: inner }) => inner.kind === 'let');
      const tail = isOpen(chain) ? merge : undefined;
      return isEmpty ? tail! : this.inner(chain, scope, { from: { stage: id, way }, tail }, leaves);
    });
    return new BranchReceiver({
      line,
      split: splitterOf(node.condition, this.compiler(scope, stage, line)),
      then: then!,
      otherwise: otherwise!,
      ways: { then: this.edge(line, 'then', then!), otherwise: this.edge(line, 'else', otherwise!) },
    });
  }

  private fanOut(
    stage: Stage,
    node: Extract<Node, { kind: 'fan-out' }>,
    scope: Environment,
    from: EdgeName,
    next: Receiver,
    leaves: Leaves,
  ): Receiver {
    const line = this.lineOf(stage, 'copies', leaves, from);
    const side = this.inner(node.chain, scope, { from: { stage: line.stageId, way: 'fork' }, tail: undefined }, leaves);
    return new FanOutReceiver({
      line,
      side,
      copies: this.edge(line, 'fork', side),
      out: this.edge(line, undefined, next),
      next,
    });
  }

  private sink(stage: Stage, node: PluggedNode, scope: Environment, from: EdgeName, leaves: Leaves): Receiver {
    const line = this.lineOf(stage, 'sink', leaves, from);
    const sink = this.create(stage, node, scope, line, leaves) as Sink;
    this.sinks.set(line.stageId, sink);
    return new SinkReceiver(sink, line, {
      clock: this.parts.host.io.clock,
      refuse: (batch, row, failure) =>
        refuse(this.parts, this.pipelineId, line, batch, row, failure, error => leaves.failed(line.stageId, error)),
      confirm: leaves.addLeaf(),
      ...(leaves.returned && { returned: leaves.returned }),
    });
  }

  private balance(
    stage: Stage,
    node: Extract<Node, { kind: 'balance' }>,
    scope: Environment,
    from: EdgeName,
    leaves: Leaves,
  ): Receiver {
    const list = this.compiler(scope, stage, undefined).constant(node.list);
    if (!Array.isArray(list)) throw engineErrors.notAList({ name: node.variable, type: typeof list });
    if (list.length === 0) throw engineErrors.emptyList();
    const line = this.lineOf(stage, 'balances', leaves, from);
    const isReplayable = node.chain.every(isRowwise);
    const balance = new BalanceReceiver(line, {
      io: this.parts.host.io,
      isReplayable,
      states: leaves.states,
      confirm: leaves.addLeaf(),
      failed: error => leaves.failed(line.stageId, error),
      armFailed: (arm, error, nextTryMs) => this.warnOfArm(stage, line, arm, error, nextTryMs),
    });
    list.forEach((element: Value, index) => {
      const way = `#${index + 1}`;
      const inner = new Environment(scope);
      inner.bind(node.variable, element);
      balance.addArm(way, this.taps.of(line.stageId, way), leaf =>
        this.inner(
          node.chain,
          inner,
          { from: { stage: line.stageId, way }, tail: undefined },
          armLeaves(leaf, isReplayable, leaves.suffix + way),
        ),
      );
    });
    return balance;
  }

  private warnOfArm(stage: Stage, line: LedgerLine, arm: number, error: unknown, nextTryMs: number): void {
    const reason = error instanceof Error ? error.message : String(error);
    countIn(line.errors, 'arm');
    const failure = engineErrors.armFailed({ arm, reason });
    this.parts.host.warn({
      code: failure.code,
      severity: 'warning',
      message: failure.message,
      span: stage.span,
      notes: [`next try in ${(nextTryMs / 1_000).toFixed(1)} s; the others take its events meanwhile`],
    });
  }

  private create(
    stage: Stage,
    node: PluggedNode,
    scope: Environment,
    line: LedgerLine,
    leaves: Leaves,
    more: { readonly paths?: readonly (readonly string[])[]; readonly keepsState?: boolean } = {},
  ): Source | Transform | Sink {
    const compiler = this.compiler(scope, stage, line);
    const context = contextOf(this.parts, {
      pipelineId: this.pipelineId,
      line,
      span: stage.span,
      compiler,
      paths: more.paths ?? [],
      keepsState: more.keepsState ?? false,
      failed: error => leaves.failed(line.stageId, error),
    });
    return createStage(node, compiler, context);
  }

  private compiler(scope: Environment, stage: Stage, line: LedgerLine | undefined): Compiler {
    return new Compiler({
      registry: this.parts.host.registry,
      environment: scope,
      host: this.parts.host,
      span: stage.span,
      repeats: this.repeats,
      onWarning: () => {
        if (line) line.warnings++;
      },
    });
  }

  private lineOf(
    stage: Stage,
    kind: LedgerKind,
    leaves: Leaves,
    from: EdgeName,
    joins: readonly EdgeName[] = [],
  ): LedgerLine {
    const id = stage.id + leaves.suffix;
    let line = this.lines.get(id);
    if (!line) {
      line = makeLine(id, stage.name, kind, kind === 'source' ? [] : [from], joins);
      this.lines.set(id, line);
    }
    return line;
  }

  private edge(line: LedgerLine, way: string | undefined, next: Receiver): Edge {
    const count = (events: number): void => {
      if (way === undefined) line.passed += events;
      else countIn(line.ways, way, events);
    };
    return new Edge({ count, tap: this.taps.of(line.stageId, way), next, clock: this.parts.host.io.clock });
  }
}

function armLeaves(leaf: ArmLeaf, isReplayable: boolean, suffix: string): Leaves {
  const confirmations = new Confirmations(-1, marker => leaf.confirm(marker));
  return {
    addLeaf: () => confirmations.addLeaf(),
    failed: (_stageId, error) => leaf.failed(error),
    states: leaf.states,
    suffix,
    ...(isReplayable && { returned: (batch: Parameters<ArmLeaf['returned']>[0]) => leaf.returned(batch) }),
  };
}

function isOpen(chain: Chain): boolean {
  const last = chain.findLast(({ node }) => node.kind !== 'let');
  return last === undefined || last.output !== 'void';
}

function converts(stage: Stage): boolean {
  return stage.input !== stage.output || stage.node.kind === 'aggregate';
}

/** Each row by itself: what goes in can go in again, here or elsewhere. */
function isRowwise({ node }: Stage): boolean {
  switch (node.kind) {
    case 'let':
    case 'filter':
    case 'project':
    case 'remove':
    case 'sink':
      return true;
    case 'branch':
      return node.then.every(isRowwise) && node.otherwise.every(isRowwise);
    case 'opaque':
      return node.definition.traits?.isRowwise === true;
    default:
      return false;
  }
}
