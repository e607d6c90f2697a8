/**
 * What a row becomes on its way into a topic: topic, partition, key, value, headers and time, each evaluated for the event.
 *
 * A value that cannot be sent is never replaced in silence. What the record cannot be without (topic, message, key, partition)
 * refuses the row: a warning once, and a dead letter. What it can be without (a timestamp, a header) is left out with a warning.
 *
 * Invariants
 * I1 one `Outgoing` is filled for one row after another: whoever keeps anything of it copies.
 */
import type { Diagnostic, Span } from '../../../base/index.ts';
import {
  Blob,
  type EventBatch,
  printJson,
  RecordValue,
  Secret,
  Time,
  typeOf,
  type Value,
} from '../../../data/index.ts';
import type { Batch, Evaluator, Expr, RowFailure, StageContext } from '../../../sdk/index.ts';
import type { RecordHeaders } from '../../../wire/records/index.ts';
import { kafkaNotices } from './errors.ts';
import type { TopicRule } from './topic-rule.ts';

export interface Outgoing {
  topic: string;
  /** Undefined: the partitioner chooses. */
  partition: number | undefined;
  key: Uint8Array | null;
  value: Uint8Array;
  headers: RecordHeaders | undefined;
  /** Undefined: the time at which it is written. */
  timestampMs: number | undefined;
}

/** Nothing to send by the operator's rules (an empty chunk). */
export const SKIPPED = 'skipped';

/** Fills the record of a row, or says why there is none. */
export type RecordOf = (record: Outgoing, batch: Batch, row: number) => RowFailure | typeof SKIPPED | undefined;

export function emptyOutgoing(): Outgoing {
  return {
    topic: '',
    partition: undefined,
    key: null,
    value: new Uint8Array(0),
    headers: undefined,
    timestampMs: undefined,
  };
}

export interface RecordExpressions {
  readonly topic: Expr;
  readonly message: Expr | undefined;
  readonly key: Expr | undefined;
  readonly headers: Expr | undefined;
  readonly partition: Expr | undefined;
  readonly timestamp: Expr | undefined;
}

type Field = keyof RecordExpressions;

/** Undefined: the value cannot be sent. */
type Bytes = Uint8Array | null | undefined;

export class EventRecords {
  private readonly context: StageContext;
  private readonly expressions: RecordExpressions;
  private readonly rule: TopicRule;
  private readonly evaluators: Partial<Record<Field, Evaluator>> = {};
  private failure: RowFailure | undefined;

  constructor(context: StageContext, expressions: RecordExpressions, rule: TopicRule) {
    this.context = context;
    this.expressions = expressions;
    this.rule = rule;
    for (const [name, expr] of Object.entries(expressions) as [Field, Expr | undefined][])
      if (expr) this.evaluators[name] = context.compile(expr);
  }

  fill(record: Outgoing, events: EventBatch, row: number): RowFailure | undefined {
    const { headers, key, message, partition, timestamp, topic } = this.evaluators;
    this.failure = undefined;
    record.topic = this.topicOf(topic!.value(events, row));
    record.value = message ? this.messageOf(message.value(events, row)) : events.jsonOf(row);
    record.key = key ? this.keyOf(key.value(events, row)) : null;
    record.partition = partition ? this.partitionOf(partition.value(events, row)) : undefined;
    record.headers = headers ? this.headersOf(headers.value(events, row)) : undefined;
    record.timestampMs = timestamp ? this.timeOf(timestamp.value(events, row)) : undefined;
    return this.failure;
  }

  private topicOf(value: Value): string {
    if (typeof value !== 'string') {
      this.refuse('topic', value, 'a string');
      return '';
    }
    const reason = this.rule.defect(value);
    if (reason !== undefined) {
      this.failure ??= { code: kafkaNotices.badTopic, message: reason };
      this.warn('topic', kafkaNotices.badTopic, 'an event names a topic that must not be written', [reason]);
    }
    return value;
  }

  private messageOf(value: Value): Uint8Array {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value instanceof Blob ? value.bytes : undefined;
    if (!bytes) this.refuse('message', value, 'a string or blob');
    return bytes ?? new Uint8Array(0);
  }

  private keyOf(value: Value): Uint8Array | null {
    const bytes = bytesOf(value);
    if (bytes === undefined) this.refuse('key', value, 'anything but a secret');
    return bytes ?? null;
  }

  private partitionOf(value: Value): number | undefined {
    if (value === null) return undefined;
    const number = typeof value === 'bigint' ? Number(value) : Number.NaN;
    if (number >= 0 && number < 2 ** 31) return number;
    this.refuse('partition', value, 'a partition number');
    return undefined;
  }

  private headersOf(value: Value): RecordHeaders | undefined {
    if (value === null) return undefined;
    if (!(value instanceof RecordValue)) {
      this.leaveOut('headers', `\`headers\` must be a record, got \`${typeOf(value)}\``);
      return undefined;
    }
    const headers: [string, Uint8Array | null][] = [];
    for (const [name, entry] of value.entries()) {
      const bytes = bytesOf(entry);
      if (bytes === undefined) this.leaveOut('headers', `header \`${name}\` is a secret`);
      else headers.push([name, bytes]);
    }
    return headers;
  }

  private timeOf(value: Value): number | undefined {
    if (value === null) return undefined;
    if (value instanceof Time && value.ms >= 0) return Math.floor(value.ms);
    const got = value instanceof Time ? 'one before 1970' : `\`${typeOf(value)}\``;
    this.leaveOut('timestamp', `\`timestamp\` must be a time, got ${got}`);
    return undefined;
  }

  private refuse(name: Field, value: Value, expected: string): void {
    const got = value === null ? 'null' : typeOf(value);
    const message = `\`${name}\` must be ${expected}, got \`${got}\``;
    this.failure ??= { code: kafkaNotices.notSendable, message };
    this.warn(name, kafkaNotices.notSendable, message, ['the event is a dead letter']);
  }

  private leaveOut(name: Field, message: string): void {
    this.warn(name, kafkaNotices.leftOut, message, ['the record is written without it']);
  }

  private warn(name: Field, code: Diagnostic['code'], message: string, notes: readonly string[]): void {
    this.context.warn({ code, message, notes, span: this.spanOf(name) });
  }

  private spanOf(name: Field): Span {
    return (this.expressions[name] ?? this.expressions.topic).span;
  }
}

/** Texts and blobs as they are, everything else in its JSON form without quotes; undefined for a secret. */
export function bytesOf(value: Value): Bytes {
  if (value === null) return null;
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Blob) return value.bytes;
  if (value instanceof Secret) return undefined;
  const json = printJson(value);
  return Buffer.from(json.startsWith('"') ? (JSON.parse(json) as string) : json);
}
