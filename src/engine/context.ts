/** What a stage gets from the engine: its context, its arguments, and what becomes of rows that it refuses. */
import { assert, type Diagnostic, type Span } from '../base/index.ts';
import type {
  ArgumentPlaces,
  Batch,
  OperatorDefinition,
  PluggedNode,
  RowFailure,
  Sink,
  Source,
  StageContext,
  Transform,
} from '../sdk/index.ts';
import { bindArguments } from './arguments.ts';
import type { TaskCredits } from './credits.ts';
import type { DeadLetters } from './dead-letters.ts';
import { engineErrors } from './errors.ts';
import type { Compiler } from './expression/compiler.ts';
import { countIn, type LedgerLine } from './ledger.ts';
import { letterOf } from './letter.ts';
import type { TaskHost } from './task.ts';

/** What becomes of an event that a stage refuses. */
export type OnError = 'dead_letter' | 'drop' | 'stop';

export interface ContextParts {
  readonly host: TaskHost;
  readonly deadLetters: DeadLetters;
  readonly credits: TaskCredits;
  failed(stageId: string, error: unknown): void;
}

export function contextOf(
  parts: ContextParts,
  stage: {
    readonly pipelineId: string;
    readonly line: LedgerLine;
    readonly span: Span;
    readonly compiler: Compiler;
    readonly paths: readonly (readonly string[])[];
    readonly keepsState: boolean;
    failed(error: unknown): void;
  },
): StageContext {
  const { credits, host } = parts;
  const { compiler, failed, keepsState, line, paths, pipelineId, span } = stage;
  return {
    io: host.io,
    arena: host.arena,
    pipelineId,
    stageId: line.stageId,
    span,
    paths,
    keepsState,
    credits,
    compile: expr => compiler.compile(expr),
    warn: warning => compiler.warn(warning),
    deadLetter: (batch, row, failure) => {
      refuse(parts, pipelineId, line, batch, row, failure, failed);
    },
    count: (counter, by) => {
      switch (counter) {
        case 'retried':
          line.retried += by;
          return;
        case 'possible_duplicates':
          line.possibleDuplicates += by;
          return;
        case 'overtaken':
          line.overtaken += by;
          return;
        case 'received_bytes':
          line.receivedBytes += by;
          return;
        case 'sent_bytes':
          line.sentBytes += by;
          return;
      }
    },
    countError: kind => countIn(line.errors, kind),
    fail: failed,
    service: token => host.service(token),
  };
}

/** Deals with a row that a stage refuses, by the pipeline's `on_error`. False: the pipeline stops for it. */
export function refuse(
  parts: ContextParts,
  pipelineId: string,
  line: LedgerLine,
  batch: Batch,
  row: number,
  failure: RowFailure,
  failed: (error: unknown) => void,
): boolean {
  const { onError = 'dead_letter' } = parts.host;
  const { code, message } = failure;
  if (onError === 'stop') {
    failed(engineErrors.refusedEvent({ stage: line.stageId, code, message }));
    return false;
  }
  countIn(line.refusals, code);
  if (onError === 'drop') {
    line.dropped++;
    return true;
  }
  line.deadLettered++;
  parts.deadLetters.add(letterOf(parts.host.io, pipelineId, line.stageId, batch, row, failure));
  return true;
}

export function createStage(node: PluggedNode, compiler: Compiler, context: StageContext): Source | Transform | Sink {
  const { definition } = node;
  const args = bindArguments(definition, node.args, compiler);
  checkArguments(definition, args, context.span);
  assert(definition.create !== undefined, `I1: ${definition.name} has neither create nor a node of the plan`);
  return definition.create(args as never, context);
}

/** The check saw only literals: what was computed is checked now. */
function checkArguments(definition: OperatorDefinition, args: Readonly<Record<string, unknown>>, span: Span): void {
  const places: ArgumentPlaces = { operator: span, of: () => span, ofKey: () => span };
  const found: readonly Diagnostic[] = definition.validate?.(args as never, places) ?? [];
  const errors = found.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return;
  const message = errors.map(error => [error.message, ...(error.notes ?? [])].join(': ')).join('; ');
  throw engineErrors.invalidArgument({ operator: definition.name, message });
}
