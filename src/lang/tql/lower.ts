/**
 * From syntax to plan. Names are resolved, arguments matched to what operators declare, edges typed; everything that is
 * wrong is reported with its place, and lowering goes on so that one run shows all of it.
 *
 * Invariants
 * I1 a plan is used only when no error was reported.
 * I2 stage ids are statement numbers from 1, nested ones behind a dot; implicit stages have ids of their own (`in`, `out`).
 * I3 nothing is told twice: behind a statement that is wrong the edge is unknown and fits everything, and what the
 *    statement would have bound is bound.
 */
import type { Diagnostic, Span } from '../../base/index.ts';
import { nearest } from '../../base/index.ts';
import { typeOf } from '../../data/index.ts';
import {
  type AggregateCall,
  type Argument as OperatorArgument,
  type ArgumentPlaces,
  type ArgumentValue,
  type Assignment,
  type AssignmentTarget,
  type Chain,
  childrenOf,
  type EdgeKind,
  type Expr,
  type FieldExpr,
  fromValue,
  type NamedExpr,
  type Node,
  type OperatorBody,
  type OperatorDefinition,
  type Plan,
  readsEvent,
  type Registry,
  type Stage,
  type Summary,
} from '../../sdk/index.ts';
import type { SourceText } from '../source.ts';
import type { Argument, Expression, Pipeline, Statement } from './ast.ts';
import { literalValue } from './constants.ts';
import { diagnose, type TextName } from './errors.ts';
import { type ExpressionContext, isUnknown, lowerExpression, pathOf, unknown } from './expressions.ts';
import { type DeclaredArguments, declaredArguments } from './front-matter.ts';
import { lowerMatch } from './match.ts';
import { parse } from './parser.ts';
import { PLANNED_OPERATORS } from './planned.ts';

export interface CompileOptions {
  readonly id: string;
  /** An open start reads events from standard input, an open end prints them. */
  readonly hasImplicitEnds: boolean;
}

export function compileTql(
  source: SourceText,
  registry: Registry,
  options: CompileOptions,
): { readonly plan: Plan; readonly diagnostics: readonly Diagnostic[] } {
  const program = parse(source);
  const lowering = new Lowering(registry, source.text);
  const declared = program.frontMatter && declaredArguments(source.text, program.frontMatter);
  let chain = lowering.pipeline(program.pipeline, '', lowering.bound(declared), declared ? undefined : 'void');
  if (options.hasImplicitEnds) chain = lowering.closeEnds(chain);
  else lowering.expectClosed(chain, program.pipeline.span);
  const diagnostics = [...program.diagnostics, ...lowering.diagnostics].sort(
    (a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0),
  );
  return {
    plan: { id: options.id, chain },
    diagnostics: diagnostics.map(diagnostic => ({ ...diagnostic, file: source.file })),
  };
}

type Lets = ReadonlyMap<string, Expr>;

type OperatorStatement = Extract<Statement, { kind: 'operator' }>;

/** What a URI begins with, and what stands behind it. */
const URI = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/s;

/** What flows to a statement; undefined when that is not known. */
type Flow = EdgeKind | undefined;

const KIND_NAMES: Readonly<Record<EdgeKind, string>> = { void: 'nothing', bytes: 'bytes', events: 'events' };

class Lowering {
  readonly diagnostics: Diagnostic[] = [];
  private readonly registry: Registry;
  private readonly text: string;
  /** Stages in place of statements that are wrong: nobody knows what leaves them. */
  private readonly broken = new Set<Stage>();

  constructor(registry: Registry, text: string) {
    this.registry = registry;
    this.text = text;
  }

  /** Arguments of an operator of a package stand for anything. */
  bound(declared: DeclaredArguments | undefined): Lets {
    if (!declared) return new Map();
    this.report('notYet', declared.place, { what: 'an operator of a package' });
    return new Map(declared.names.map(name => [name, unknown(declared.place)]));
  }

  pipeline(pipeline: Pipeline, prefix: string, outer: Lets, input: Flow): Chain {
    const lets = new Map(outer);
    const stages: Stage[] = [];
    let number = 0;
    for (const statement of pipeline.statements) {
      const edge = this.outputOf(stages, input);
      const last = stages.findLast(({ node }) => node.kind !== 'let');
      if (edge === 'void' && last && statement.kind !== 'bad' && statement.kind !== 'let') {
        this.report('sinkNotLast', last.span, { operator: last.name });
        this.broken.add(last);
      }
      if (edge === 'events' && statement.kind === 'operator') this.giveBytes(stages, statement.name);
      const flow = this.outputOf(stages, input);
      for (const stage of this.statement(statement, `${prefix}${++number}`, lets, flow)) {
        if (stage.node.kind === 'let') lets.set(stage.node.name, stage.node.value);
        stages.push(stage);
      }
    }
    return stages;
  }

  private outputOf(chain: Chain, input: Flow): Flow {
    const last = chain.findLast(({ node }) => node.kind !== 'let');
    return last ? (this.broken.has(last) ? undefined : last.output) : input;
  }

  /**
   * `from_kafka "t" | read_ndjson`: a reader of bytes right behind a source of events gets what the events are made of, each
   * by itself, where the source has a form that gives it and takes the same arguments.
   */
  private giveBytes(stages: Stage[], reader: string): void {
    const takesBytes = this.operatorOf(reader)?.input.every(kind => kind === 'bytes') === true;
    const at = stages.findLastIndex(({ node }) => node.kind !== 'let');
    const stage = stages[at];
    if (!takesBytes || stage?.node.kind !== 'source') return;
    const { args, definition } = stage.node;
    const bytes = definition.bytesForm === undefined ? undefined : this.operatorOf(definition.bytesForm);
    if (!bytes || Object.keys(args).some(name => !(name in bytes.args))) return;
    stages[at] = { ...stage, output: 'bytes', node: { kind: 'source', definition: bytes, args } };
  }

  private operatorOf(name: string): OperatorDefinition | undefined {
    return this.registry.operators.get(name) ?? this.registry.operators.get(name.replaceAll('::', '_'));
  }

  /** What stands for a statement that is wrong. */
  private standIn(id: string, span: Span): readonly Stage[] {
    const stage = events(id, '', span, { kind: 'limit', count: 0 });
    this.broken.add(stage);
    return [stage];
  }

  /** Adds what the command line gives an open start and an open end. */
  closeEnds(chain: Chain): Chain {
    const first = chain.find(stage => stage.node.kind !== 'let');
    const output = this.outputOf(chain, 'void');
    if (!first || output === undefined) return chain;
    const stages = [...chain];
    if (first.input !== 'void') {
      const at = chain.indexOf(first);
      const read = first.input === 'events' ? [this.implicit('read_json', 'in.2')] : [];
      stages.splice(at, 0, this.implicit('from_stdin', 'in.1'), ...read);
    }
    if (output === 'events') stages.push(this.implicit('write_tql', 'out.1'));
    if (output !== 'void') stages.push(this.implicit('save_stdout', 'out.2'));
    return stages;
  }

  /** A configured pipeline has its own source and sink. */
  expectClosed(chain: Chain, span: Span): void {
    const stages = chain.filter(stage => stage.node.kind !== 'let');
    const first = stages[0];
    const last = stages.at(-1);
    if (first && !this.broken.has(first) && first.input !== 'void')
      this.report('expected', first.span, { what: 'a source', got: `\`${first.name}\`` });
    if (last && !this.broken.has(last) && last.output !== 'void') this.report('mustEndWithSink', last.span);
    if (!first) this.report('expected', span, { what: 'a pipeline', got: 'nothing' });
  }

  private implicit(name: string, id: string): Stage {
    const definition = this.registry.operators.get(name)!;
    const [input = 'void'] = definition.input;
    const output = definition.output === 'input' ? input : definition.output;
    const kind = input === 'void' ? 'source' : output === 'void' ? 'sink' : 'opaque';
    return { id, name, span: { start: 0, end: 0 }, input, output, node: { kind, definition, args: {} } };
  }

  /** The stages of a statement: one, or those of its body as well. None when it is wrong. */
  private statement(statement: Statement, id: string, lets: Lets, edge: Flow): readonly Stage[] {
    const { span } = statement;
    switch (statement.kind) {
      case 'bad': {
        const { binds } = statement;
        return binds === undefined ? this.standIn(id, span) : [letStage(id, span, binds, unknown(span), edge)];
      }
      case 'let': {
        const value = this.expression(statement.value, lets);
        return [letStage(id, span, statement.name, value, edge)];
      }
      case 'assignment': {
        const assignment = this.assignment(statement.target, statement.value, lets);
        this.expectInput('set', ['events'], edge, span);
        if (!assignment) return this.standIn(id, span);
        return [events(id, 'set', span, { kind: 'project', mode: 'set', assignments: [assignment] })];
      }
      case 'if':
        return [this.ifStage(statement, id, lets, edge)];
      case 'match': {
        this.expectInput('match', ['events'], edge, { start: span.start, end: span.start + 5 });
        const bodies: Chain[] = [];
        const stage = lowerMatch(statement, id, {
          registry: this.registry,
          lets,
          expression: expression => this.expression(expression, lets),
          body: (pipeline, prefix) => {
            const body = this.branchBody(pipeline, prefix, lets);
            bodies.push(body);
            return body;
          },
          report: diagnostic => this.diagnostics.push(diagnostic),
        });
        return stage && statement.isWhole ? [this.branched(stage, bodies)] : this.standIn(id, span);
      }
      case 'operator':
        return this.operator(statement, id, lets, edge);
    }
  }

  private ifStage(statement: Extract<Statement, { kind: 'if' }>, id: string, lets: Lets, edge: Flow): Stage {
    const { span } = statement;
    this.expectInput('if', ['events'], edge, { start: span.start, end: span.start + 2 });
    const condition = this.expression(statement.condition, lets);
    const then = this.branchBody(statement.then, `${id}.then.`, lets);
    const otherwise = statement.otherwise ? this.branchBody(statement.otherwise, `${id}.else.`, lets) : [];
    const isClosed = (chain: Chain): boolean => chain.at(-1)?.output === 'void';
    const isSink = isClosed(then) && isClosed(otherwise);
    const node: Node = { kind: 'branch', condition, then, otherwise };
    const output = isSink ? 'void' : 'events';
    return this.branched({ id, name: 'if', span, input: 'events', output, node }, [then, otherwise]);
  }

  /** What leaves a branch is known when it is of each of its bodies. */
  private branched(stage: Stage, bodies: readonly Chain[]): Stage {
    if (bodies.some(body => this.outputOf(body, 'events') === undefined)) this.broken.add(stage);
    return stage;
  }

  /** Gives events or ends in a sink. */
  private branchBody(pipeline: Pipeline, prefix: string, lets: Lets): Chain {
    const chain = this.pipeline(pipeline, prefix, lets, 'events');
    if (this.outputOf(chain, 'events') === 'bytes') {
      const last = chain.findLast(({ node }) => node.kind !== 'let')!;
      const what = 'a body that gives events or ends in a sink';
      this.report('expected', last.span, { what, got: `\`${last.name}\`, which gives bytes` });
    }
    return chain;
  }

  private operator(statement: OperatorStatement, id: string, lets: Lets, edge: Flow): readonly Stage[] {
    const { name, nameSpan } = statement;
    const byUri = name === 'from' || name === 'to' ? this.byUri(name, statement, id, lets, edge) : undefined;
    if (byUri) return byUri;
    const definition = this.operatorOf(name);
    if (!definition) {
      this.reportUnknown(name, nameSpan);
      return this.standIn(id, nameSpan);
    }
    const { body } = definition;
    if (!body) return [this.single(definition, statement, id, lets, edge)];
    return this.withBody(definition, body, statement, id, lets, edge);
  }

  /** `from "kafka://topic"`, `to "kafka://topic"`; undefined for what is no URI. */
  private byUri(
    form: 'from' | 'to',
    statement: OperatorStatement,
    id: string,
    lets: Lets,
    edge: Flow,
  ): readonly Stage[] | undefined {
    const { args, nameSpan } = statement;
    const [first] = args;
    const value = first?.name === undefined && first?.value.kind === 'literal' ? first.value.value : undefined;
    const [, scheme = '', path = ''] = (typeof value === 'string' && URI.exec(value)) || [];
    if (!first || scheme === '') {
      if (form === 'from') return undefined;
      this.report('noUri', first?.span ?? nameSpan);
      return this.standIn(id, nameSpan);
    }
    const definition = [...this.registry.operators.values()].find(
      ({ uri }) => uri?.form === form && uri.scheme === scheme,
    );
    if (!definition?.uri) {
      this.report('unknownScheme', first.value.span, { form, scheme });
      return this.standIn(id, nameSpan);
    }
    const [, ending] = /\.([a-z0-9]+)$/.exec(path) ?? [];
    const named = `${form === 'from' ? 'read' : 'write'}_${ending}`;
    const format = ending !== undefined && this.operatorOf(named) ? named : definition.uri.default;
    const body: OperatorBody = { place: form === 'from' ? 'behind' : 'before', default: format };
    const name: Argument = { ...first, value: { kind: 'literal', value: path, span: first.value.span } };
    return this.withBody(definition, body, { ...statement, args: [name, ...args.slice(1)] }, id, lets, edge);
  }

  private withBody(
    definition: OperatorDefinition,
    body: OperatorBody,
    statement: OperatorStatement,
    id: string,
    lets: Lets,
    edge: Flow,
  ): readonly Stage[] {
    const { name, nameSpan } = statement;
    const last = statement.args.at(-1);
    const braced = last && last.name === undefined ? bracedPipeline(last.value) : undefined;
    const bare = braced ? { ...statement, args: statement.args.slice(0, -1) } : statement;
    if (body.place === 'behind') {
      const source = this.single(definition, bare, id, lets, edge);
      if (!braced) return body.default === undefined ? [source] : [source, this.implicit(body.default, `${id}.1`)];
      return [source, ...this.body(braced, id, name, lets, source.output, 'events')];
    }
    const isPlain = !braced && (edge === 'bytes' || body.default === undefined);
    if (isPlain) return [this.single(definition, bare, id, lets, edge)];
    this.expectInput(name, ['events'], edge, nameSpan);
    const before = braced
      ? this.body(braced, id, name, lets, 'events', definition.input[0]!)
      : [this.implicit(body.default!, `${id}.1`)];
    return [...before, this.single(definition, bare, id, lets, definition.input[0]!)];
  }

  /** A body that reads or prints stands for stages beside its operator; what it binds would be seen behind it. */
  private body(
    pipeline: Pipeline,
    id: string,
    operator: string,
    lets: Lets,
    input: EdgeKind,
    output: EdgeKind,
  ): readonly Stage[] {
    for (const { kind, span } of pipeline.statements) if (kind === 'let') this.report('bodyLet', span, { operator });
    const chain = this.pipeline(pipeline, `${id}.`, lets, input);
    const last = chain.findLast(({ node }) => node.kind !== 'let');
    const given = last && this.outputOf(chain, input);
    if (last ? given !== undefined && given !== output : true) {
      const got = last ? `\`${last.name}\`, which gives ${KIND_NAMES[last.output]}` : 'nothing';
      const what = `a pipeline from ${KIND_NAMES[input]} to ${KIND_NAMES[output]}`;
      this.report('expected', last?.span ?? pipeline.span, { what, got });
    }
    return chain;
  }

  private single(
    definition: OperatorDefinition,
    statement: OperatorStatement,
    id: string,
    lets: Lets,
    edge: Flow,
  ): Stage {
    const { name, nameSpan, span } = statement;
    const input = this.expectInput(name, definition.input, edge, nameSpan);
    const output = definition.output === 'input' ? input : definition.output;
    const places = new Map<string, Argument[]>();
    const errors = this.diagnostics.length;
    const args = this.arguments(definition, statement.args, lets, id, places);
    const missing = Object.entries(definition.args).find(
      ([key, { shape }]) => shape.isRequired && !shape.isVariadic && !places.has(key),
    );
    if (missing) this.report('missingArgument', nameSpan, { operator: name, name: missing[0] });
    const known = this.knownArguments(definition, args, lets);
    this.validate(definition, known, nameSpan, places);
    // What stands for an argument of a package is known when it is called.
    const isWhole = this.diagnostics.length === errors && Object.keys(args).every(key => key in known);
    const kind = input === 'void' ? 'source' : output === 'void' ? 'sink' : 'opaque';
    const node: Node = isWhole && definition.lower ? definition.lower(known as never) : { kind, definition, args };
    return { id, name, span, input, output, node };
  }

  private validate(
    definition: OperatorDefinition,
    known: Readonly<Record<string, unknown>>,
    operator: Span,
    places: ReadonlyMap<string, readonly Argument[]>,
  ): void {
    const of = (argument: string, index = 0): Span => places.get(argument)?.[index]?.value.span ?? operator;
    const ofKey = (argument: string, key: string): Span => {
      const value = places.get(argument)?.[0]?.value;
      const field =
        value?.kind === 'record' ? value.fields.find(entry => entry.kind === 'entry' && entry.key === key) : undefined;
      return field?.kind === 'entry' ? { start: field.keySpan.start, end: field.value.span.end } : of(argument);
    };
    const argumentPlaces: ArgumentPlaces = { operator, of, ofKey };
    this.diagnostics.push(...(definition.validate?.(known as never, argumentPlaces) ?? []));
  }

  private reportUnknown(name: string, span: Span): void {
    if (PLANNED_OPERATORS.has(name.replaceAll('::', '_'))) {
      this.report('plannedOperator', span, { name });
      return;
    }
    if (name.includes('::')) {
      const hints = ['operators of packages are not implemented in this version'];
      this.diagnostics.push(diagnose('unknownOperator', span, { name }, { hints }));
      return;
    }
    const near = nearest(name, this.registry.operators.keys());
    this.diagnostics.push(
      diagnose('unknownOperator', span, { name }, near === undefined ? {} : { hints: [`did you mean \`${near}\`?`] }),
    );
  }

  private expectInput(name: string, accepts: readonly EdgeKind[], edge: Flow, span: Span): EdgeKind {
    if (edge !== undefined && accepts.includes(edge)) return edge;
    // An open start may be closed by the command line; anything else is an error here.
    if (edge !== undefined && edge !== 'void') {
      const text = accepts.map(kind => KIND_NAMES[kind]).join(' or ');
      const isReaderMissing = edge === 'bytes' && accepts.includes('events');
      const hints = isReaderMissing ? ['read events out of the bytes first, for example with `read_json`'] : [];
      this.diagnostics.push(
        diagnose('wrongInput', span, { operator: name, accepts: text, gets: KIND_NAMES[edge] }, { hints }),
      );
    }
    return accepts[0] ?? 'void';
  }

  private arguments(
    definition: OperatorDefinition,
    given: readonly Argument[],
    lets: Lets,
    id: string,
    places: Map<string, Argument[]>,
  ): Record<string, ArgumentValue> {
    const positional = Object.entries(definition.args).filter(([, { shape }]) => shape.isPositional);
    let next = 0;
    for (const arg of given) {
      const isAssigning = ['assignments', 'selection', 'groups_and_aggregates'].includes(
        positional[next]?.[1].shape.kind ?? '',
      );
      const isOwn = arg.name !== undefined && definition.args[arg.name]?.shape.isPositional === false;
      const assigns = isAssigning && !isOwn;
      const key = arg.name === undefined || assigns ? positional[next]?.[0] : this.argumentName(definition, arg);
      if (key === undefined) {
        if (arg.name === undefined) this.report('extraArgument', arg.span, { operator: definition.name });
        continue;
      }
      const { shape } = definition.args[key]!;
      const isRest = shape.isVariadic || assigns;
      if (places.has(key) && !isRest) this.report('repeatedArgument', arg.nameSpan ?? arg.span, { name: key });
      places.set(key, [...(places.get(key) ?? []), arg]);
      if (arg.name === undefined && !isRest) next++;
    }
    const args: Record<string, ArgumentValue> = {};
    for (const [key, list] of places) {
      const value = this.argument(definition, key, list, this.boundLets(definition, places, lets), id, lets);
      if (value) args[key] = value;
    }
    return args;
  }

  private argumentName(definition: OperatorDefinition, arg: Argument): string | undefined {
    const name = arg.name!;
    for (const [key, { shape }] of Object.entries(definition.args)) {
      if (key === name || shape.aliases.includes(name)) return key;
    }
    const near = nearest(name, Object.keys(definition.args));
    const hints = near === undefined ? [] : [`did you mean \`${near}\`?`];
    this.diagnostics.push(
      diagnose('unknownArgument', arg.nameSpan ?? arg.span, { operator: definition.name, name }, { hints }),
    );
    return undefined;
  }

  private argument(
    definition: OperatorDefinition,
    name: string,
    given: readonly Argument[],
    bodyLets: Lets,
    id: string,
    lets: Lets,
  ): ArgumentValue | undefined {
    const { shape } = definition.args[name]!;
    const [first] = given;
    const wrong = (expected: string): undefined => {
      this.report('wrongKind', first!.span, { name, operator: definition.name, expected });
      return undefined;
    };
    switch (shape.kind) {
      case 'pipeline': {
        const braced = bracedPipeline(first!.value);
        if (!braced) return wrong('a pipeline in braces');
        return { kind: 'pipeline', chain: this.sinkBody(braced, `${id}.`, bodyLets) };
      }
      case 'variable': {
        const value = first!.value;
        if (value.kind !== 'variable') {
          this.report('expectedVariable', value.span);
          return undefined;
        }
        const expr = this.expression(value, lets);
        this.checkList(value.name, value.span, expr, lets);
        return { kind: 'variable', name: value.name, expr };
      }
      case 'assignments':
      case 'selection': {
        const assignments = given.flatMap(arg => this.assignmentArgument(arg, lets, shape.kind === 'selection') ?? []);
        return { kind: 'assignments', assignments };
      }
      case 'groups_and_aggregates':
        return { kind: 'summary', summary: this.summary(given, lets) };
      case 'field': {
        const fields: FieldExpr[] = [];
        for (const arg of given) {
          const expr = this.expression(arg.value, lets);
          const field = pathOf(expr);
          if (field) fields.push({ kind: 'field', ...field, span: expr.span });
          else if (isUnknown(expr)) return undefined;
          else return wrong('a field');
        }
        return { kind: 'fields', fields };
      }
      case 'expression':
        return { kind: 'expression', exprs: given.map(arg => this.expression(arg.value, lets)) };
      default:
        return this.constant(definition, name, shape.kind, given, lets);
    }
  }

  private constant(
    definition: OperatorDefinition,
    name: string,
    kind: OperatorArgument<unknown>['shape']['kind'],
    given: readonly Argument[],
    lets: Lets,
  ): ArgumentValue | undefined {
    const exprs = given.map(arg => this.expression(arg.value, lets));
    for (const expr of exprs) {
      if (readsEvent(expr)) {
        this.report('eventInConstant', expr.span, { name, operator: definition.name });
        return undefined;
      }
      const value = literalValue(expr, lets);
      if (value === undefined || fromValue(kind, value) !== undefined) continue;
      this.report('wrongType', expr.span, { name, operator: definition.name, expected: kind, actual: typeOf(value) });
      return undefined;
    }
    return { kind: 'constant', exprs };
  }

  /** A body sees the outer variables; those that the operator binds are among them already. */
  private sinkBody(pipeline: Pipeline, prefix: string, lets: Lets): Chain {
    const chain = this.pipeline(pipeline, prefix, lets, 'events');
    const output = this.outputOf(chain, 'events');
    if (output !== 'void' && output !== undefined) this.report('mustEndWithSink', chain.at(-1)?.span ?? pipeline.span);
    return chain;
  }

  /** What a body sees: inside `load_balance $x { … }` the variable is one element, not known before the start. */
  private boundLets(
    definition: OperatorDefinition,
    places: ReadonlyMap<string, readonly Argument[]>,
    lets: Lets,
  ): Lets {
    const bound = new Map(lets);
    for (const [key, given] of places) {
      const value = given[0]?.value;
      if (definition.args[key]?.shape.kind !== 'variable' || value?.kind !== 'variable') continue;
      bound.set(value.name, { kind: 'parameter', name: value.name, span: value.span });
    }
    return bound;
  }

  private checkList(name: string, span: Span, expr: Expr, lets: Lets): void {
    const value = literalValue(expr, lets);
    if (value === undefined) return;
    if (!Array.isArray(value)) this.report('expectedList', span, { name });
    else if (value.length === 0) this.report('emptyList', span);
  }

  private assignmentArgument(arg: Argument, lets: Lets, isSelection: boolean): Assignment | undefined {
    if (arg.name !== undefined) {
      const target: Expression = { kind: 'name', name: arg.name, span: arg.nameSpan! };
      return this.assignment(target, arg.value, lets);
    }
    if (arg.value.kind === 'assignment') return this.assignment(arg.value.target, arg.value.value, lets);
    const value = this.expression(arg.value, lets, true);
    const field = value.kind === 'move' ? value : pathOf(value);
    if (isSelection && field) return { target: { kind: 'path', path: field.path, span: arg.span }, value };
    if (!isUnknown(value)) {
      const what = isSelection ? 'a field or an assignment' : 'an assignment';
      this.report('expected', arg.span, { what, got: 'another expression' });
    }
    return undefined;
  }

  private assignment(target: Expression, value: Expression, lets: Lets): Assignment | undefined {
    const place = this.target(target, lets);
    if (!place) {
      if (!this.isUnknownPlace(target, lets)) this.report('badTarget', target.span);
      return undefined;
    }
    return { target: place, value: this.expression(value, lets, true) };
  }

  /** `$event.x` where nobody knows what `$event` is. */
  private isUnknownPlace(target: Expression, lets: Lets): boolean {
    if (target.kind === 'member' || target.kind === 'index' || target.kind === 'quiet')
      return this.isUnknownPlace(target.base, lets);
    const bound = target.kind === 'variable' ? lets.get(target.name) : undefined;
    return bound !== undefined && isUnknown(bound);
  }

  private target(target: Expression, lets: Lets): AssignmentTarget | undefined {
    const { span } = target;
    if (target.kind === 'meta') {
      if (target.name !== 'name')
        this.report(
          target.name === 'import_time' || target.name === 'internal' ? 'notYet' : 'unknownMeta',
          span,
          target.name === 'import_time' || target.name === 'internal'
            ? { what: `assigning \`@${target.name}\`` }
            : { name: target.name },
        );
      return { kind: 'meta', name: target.name, span };
    }
    const steps = this.steps(target, lets);
    if (!steps) return undefined;
    const isPath = (found: readonly (string | Expr)[]): found is readonly string[] =>
      found.every(step => typeof step === 'string');
    return isPath(steps) ? { kind: 'path', path: steps, span } : { kind: 'dynamic', steps, span };
  }

  /** Names and computed keys of an assignable place; empty for `this`. */
  private steps(target: Expression, lets: Lets): readonly (string | Expr)[] | undefined {
    if (target.kind !== 'index' && target.kind !== 'member') return fieldPath(target);
    const base = this.steps(target.base, lets);
    if (!base || target.kind === 'member') return base && [...base, (target as { readonly name: string }).name];
    const index = this.expression(target.index, lets);
    const key = literalValue(index, lets);
    if (key === undefined) return [...base, index];
    if (typeof key === 'string') return [...base, key];
    // What its key is when it runs makes it a warning and no assignment; so it does when it is known before.
    this.diagnostics.push({ ...diagnose('arrayTarget', index.span, { actual: typeOf(key) }), severity: 'warning' });
    return [...base, index];
  }

  private summary(given: readonly Argument[], lets: Lets): Summary {
    const groups: NamedExpr[] = [];
    const aggregates: AggregateCall[] = [];
    const order: ('group' | 'aggregate')[] = [];
    for (const arg of given) {
      const isNamed = arg.name !== undefined;
      const assigned = arg.value.kind === 'assignment' ? arg.value : undefined;
      const expression = assigned?.value ?? arg.value;
      const value = this.expression(expression, lets);
      const target = isNamed ? [arg.name!] : assigned && fieldPath(assigned.target);
      const isAggregate = value.kind === 'call' && this.registry.aggregates.has(value.function);
      if (isAggregate) {
        const path = target ?? [defaultName(value, this.text)];
        aggregates.push({ path, aggregate: value.function, args: value.args, named: value.named, span: value.span });
        order.push('aggregate');
      } else {
        const path = target ?? pathOf(value)?.path;
        if (!path) {
          const what = 'a field, a named group or an aggregation function';
          if (!isUnknown(value)) this.report('expected', arg.span, { what, got: 'another expression' });
          continue;
        }
        groups.push({ path, value });
        order.push('group');
      }
    }
    return { groups, aggregates, order };
  }

  /** Arguments as the operator receives them, as far as their values are known. */
  private knownArguments(
    definition: OperatorDefinition,
    args: Readonly<Record<string, ArgumentValue>>,
    lets: Lets,
  ): Record<string, unknown> {
    const known: Record<string, unknown> = {};
    for (const [name, { shape }] of Object.entries(definition.args)) {
      const value = args[name];
      if (!value) {
        if (shape.default !== undefined) known[name] = shape.default;
        else if (shape.isVariadic) known[name] = [];
        continue;
      }
      if (value.kind === 'constant') {
        const values = value.exprs.map(expr => literalValue(expr, lets));
        if (values.some(literal => literal === undefined)) {
          if (definition.lower && !value.exprs.some(expr => isUnknownIn(expr, lets)))
            this.report('wrongKind', value.exprs[0]!.span, {
              name,
              operator: definition.name,
              expected: 'a literal or a variable that is bound to one',
            });
          continue;
        }
        const bound = values.map(literal => fromValue(shape.kind, literal!));
        known[name] = shape.isVariadic ? bound : bound[0];
      } else if (value.kind === 'expression') known[name] = shape.isVariadic ? value.exprs : value.exprs[0];
      else if (value.kind === 'fields') known[name] = shape.isVariadic ? value.fields : value.fields[0];
      else if (value.kind === 'assignments') known[name] = value.assignments;
      else if (value.kind === 'summary') known[name] = value.summary;
      else if (value.kind === 'pipeline') known[name] = value.chain;
      else known[name] = { name: value.name, expr: value.expr };
    }
    return known;
  }

  private expression(expression: Expression, lets: Lets, canMove = false): Expr {
    const context: ExpressionContext = {
      registry: this.registry,
      variables: new Set(lets.keys()),
      canMove,
      report: diagnostic => this.diagnostics.push(diagnostic),
    };
    return lowerExpression(expression, context);
  }

  private report(name: TextName, span: Span, details: Readonly<Record<string, string | number>> = {}): void {
    this.diagnostics.push(diagnose(name, span, details));
  }
}

/** `{}` is an empty record by itself, and an empty pipeline where one is wanted. */
function bracedPipeline(value: Expression): Pipeline | undefined {
  if (value.kind === 'pipeline') return value.pipeline;
  return value.kind === 'record' && value.fields.length === 0 ? { statements: [], span: value.span } : undefined;
}

/** Events, bytes or nothing pass it. */
function letStage(id: string, span: Span, name: string, value: Expr, edge: Flow): Stage {
  const flow = edge ?? 'events';
  return { id, name: 'let', span, input: flow, output: flow, node: { kind: 'let', name, value } };
}

function events(id: string, name: string, span: Span, node: Node): Stage {
  return { id, name, span, input: 'events', output: 'events', node };
}

function isUnknownIn(expr: Expr, lets: Lets): boolean {
  const bound = expr.kind === 'variable' ? lets.get(expr.name) : undefined;
  return isUnknown(bound ?? expr) || childrenOf(expr).some(child => isUnknownIn(child, lets));
}

/** Path of an assignable field; empty for `this`. */
function fieldPath(target: Expression): readonly string[] | undefined {
  if (target.kind === 'this') return [];
  if (target.kind === 'name') return [target.name];
  if (target.kind === 'quiet') return fieldPath(target.base);
  if (target.kind === 'index' && target.index.kind === 'literal' && typeof target.index.value === 'string') {
    const base = fieldPath(target.base);
    return base && [...base, target.index.value];
  }
  if (target.kind !== 'member') return undefined;
  const base = fieldPath(target.base);
  return base && [...base, target.name];
}

/** `count()` for a call without arguments, `sum(x)` with the argument's text otherwise. */
function defaultName(call: Extract<Expr, { kind: 'call' }>, text: string): string {
  const [argument] = call.args;
  if (!argument) return `${call.function}()`;
  const { end, start } = argument.span;
  const name = pathOf(argument)?.path.join('.') ?? text.slice(start, end).replace(/\s+/g, ' ');
  return `${call.function}(${name})`;
}
