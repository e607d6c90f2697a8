/**
 * Which topics an operator may write: decision 18 of the design. A topic whose name is computed from an event needs a literal
 * prefix or a list of what is allowed, or whoever sends events chooses where they are written.
 */
import type { Diagnostic, Span } from '../../../base/index.ts';
import { type Expr, readsEvent } from '../../../sdk/index.ts';
import { problem } from './arguments.ts';

const NAME = /^[a-zA-Z0-9._-]{1,249}$/;
const INTERNAL = '__millrace_';
/** Names whose verdict is remembered; beyond that they are judged anew. */
const REMEMBERED_MAX = 4_096;

/** Why there is no such topic to write to. */
export function nameDefect(topic: string): string | undefined {
  if (!NAME.test(topic) || topic === '.' || topic === '..') {
    const shown = topic.length > 80 ? `${topic.slice(0, 80)}…` : topic;
    return `\`${shown}\` is no topic name: it has 1 to 249 of the characters a-z A-Z 0-9 . _ - and is not . or ..`;
  }
  return topic.startsWith(INTERNAL)
    ? `\`${topic}\` is internal: topics behind ${INTERNAL} are written by Millrace only`
    : undefined;
}

export class TopicRule {
  /** Null: every topic that the expression can give. */
  private readonly allowed: ReadonlySet<string> | null;
  private readonly verdicts = new Map<string, string | undefined>();

  constructor(allowed: readonly unknown[] | undefined) {
    this.allowed = allowed ? new Set(allowed.filter(name => typeof name === 'string')) : null;
  }

  defect(topic: string): string | undefined {
    if (this.verdicts.has(topic)) return this.verdicts.get(topic);
    if (this.verdicts.size >= REMEMBERED_MAX) this.verdicts.clear();
    const isOutside = this.allowed !== null && !this.allowed.has(topic);
    const reason = nameDefect(topic) ?? (isOutside ? `topic \`${topic}\` is not in \`allowed_topics\`` : undefined);
    this.verdicts.set(topic, reason);
    return reason;
  }
}

/** Diagnostics of the topic as it is written in the pipeline. */
export function checkTopicExpression(
  topic: Expr,
  allowed: readonly unknown[] | undefined,
  allowedAt: Span,
): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const name of allowed ?? []) {
    const reason = typeof name === 'string' ? nameDefect(name) : '`allowed_topics` must be a list of strings';
    if (reason !== undefined) found.push(problem('badTopic', reason, allowedAt));
  }
  if (topic.kind === 'constant') {
    const { value } = topic;
    const reason = typeof value === 'string' ? new TopicRule(allowed).defect(value) : '`topic` must be a string';
    if (reason !== undefined) found.push(problem('badTopic', reason, topic.span));
  } else if (!allowed && !isBounded(topic)) {
    const message = 'a topic that is computed from events needs a literal prefix or `allowed_topics`';
    const notes = ['without one, whoever sends an event chooses the topic that it is written to'];
    const hints = ['write `f"prefix.{name}"`, or list the topics: `allowed_topics=["a", "b"]`'];
    found.push(problem('openTopic', message, topic.span, notes, hints));
  }
  return found;
}

/** Every value it can give is the same for all events, or begins with a literal. */
function isBounded(expr: Expr): boolean {
  if (!readsEvent(expr)) return true;
  switch (expr.kind) {
    case 'format': {
      const [first] = expr.parts;
      return typeof first === 'string' ? first !== '' : first !== undefined && isBounded(first);
    }
    case 'binary':
      return expr.operation === 'add' && isPrefix(expr.left);
    case 'choose':
      return isBounded(expr.then) && (!expr.otherwise || isBounded(expr.otherwise));
    case 'fallback':
      return isBounded(expr.value) && isBounded(expr.fallback);
    default:
      return false;
  }
}

function isPrefix(expr: Expr): boolean {
  return expr.kind === 'constant' ? typeof expr.value === 'string' && expr.value !== '' : isBounded(expr);
}
