/**
 * Events that go round: a pipeline that reads its own dead letters, where each that fails again is read again for ever, and
 * one that reads a topic that it writes. Only what is written down is seen, and only in the embedded log.
 */
import { type Diagnostic, wholePattern } from '../base/index.ts';
import type { ArgumentValue, Chain, Expr, Stage } from '../sdk/index.ts';
import { appNotices } from './errors.ts';

interface Place {
  readonly topic: string;
  readonly stage: Stage;
}

/** `letters`: the pipeline's topic of dead letters, if it has one. */
export function roundsOf(chain: Chain, letters: string | undefined): Diagnostic[] {
  const stages = allStages(chain);
  const reads = stages.flatMap(stage => placeOf(stage, 'reads'));
  const writes = stages.flatMap(stage => placeOf(stage, 'writes'));
  return reads.flatMap(({ stage, topic }): Diagnostic[] => {
    if (letters !== undefined && matches(topic, letters))
      return [
        {
          code: appNotices.ownLetters,
          severity: 'error',
          message: `the pipeline reads its own dead letters: one that fails again would be read again for ever`,
          span: stage.span,
          hints: [`give the pipeline another \`dead_letter_topic\`, or another \`on_error\``],
        },
      ];
    const round = writes.find(write => matches(topic, write.topic));
    if (!round) return [];
    return [
      {
        code: appNotices.round,
        severity: 'warning',
        message: `the pipeline reads the topic \`${round.topic}\`, which it writes: its events go round`,
        span: stage.span,
        secondary: [{ span: round.stage.span, text: 'written here' }],
      },
    ];
  });
}

function allStages(chain: Chain): Stage[] {
  return chain.flatMap(stage => {
    const { node } = stage;
    switch (node.kind) {
      case 'branch':
        return [stage, ...allStages(node.then), ...allStages(node.otherwise)];
      case 'fan-out':
      case 'balance':
        return [stage, ...allStages(node.chain)];
      default:
        return [stage];
    }
  });
}

function placeOf(stage: Stage, way: 'reads' | 'writes'): Place[] {
  const { node } = stage;
  if (node.kind !== 'source' && node.kind !== 'sink') return [];
  const { topic, options } = node.args;
  if (node.definition.topics !== way || hasCluster(options)) return [];
  const [expr] = exprsOf(topic);
  return expr?.kind === 'constant' && typeof expr.value === 'string' ? [{ topic: expr.value, stage }] : [];
}

/** Another cluster than the process itself. */
function hasCluster(options: ArgumentValue | undefined): boolean {
  return exprsOf(options).some(
    expr =>
      (expr.kind === 'record' && expr.items.some(item => item.kind !== 'entry' || item.key === 'bootstrap.servers')) ||
      expr.kind !== 'record',
  );
}

function exprsOf(value: ArgumentValue | undefined): readonly Expr[] {
  return value?.kind === 'constant' || value?.kind === 'expression' ? value.exprs : [];
}

function matches(topic: string, name: string): boolean {
  if (!topic.startsWith('^')) return topic === name;
  const pattern = wholePattern(topic);
  return !('defect' in pattern) && !name.startsWith('__') && pattern(name);
}
