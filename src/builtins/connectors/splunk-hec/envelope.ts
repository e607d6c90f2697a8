/**
 * HEC envelopes: `{"event": …, "host": …, …}` one after another, with only the keys that are set. For the raw endpoint:
 * the text itself, and the keys as the query of the whole request.
 */
import { type EventBatch, printFloat, printJson, RecordValue, Time, typeOf, type Value } from '../../../data/index.ts';
import type { Evaluator } from '../../../sdk/index.ts';

export interface EnvelopeParts {
  readonly event: Evaluator | undefined;
  /** Text for the raw endpoint instead of an envelope. */
  readonly raw: Evaluator | undefined;
  readonly host: Evaluator | undefined;
  readonly source: Evaluator | undefined;
  readonly sourcetype: Evaluator | undefined;
  readonly index: Evaluator | undefined;
  readonly time: Evaluator | undefined;
  readonly fields: Evaluator | undefined;
  readonly includesNulls: boolean;
  warn(argument: string, message: string): void;
}

/** `,"host":"…"` and so on, behind the event; the default sourcetype is `_json`. */
export function envelope(parts: EnvelopeParts, batch: EventBatch, row: number): Uint8Array {
  const { event } = parts;
  const isWhole = event === undefined && parts.includesNulls;
  const value = event ? event.value(batch, row) : undefined;
  const body = isWhole
    ? batch.jsonOf(row)
    : Buffer.from(printJson(value ?? batch.record(row), { stripNullFields: !parts.includesNulls }));
  let rest = '';
  for (const name of KEYS) {
    const text = textOf(parts, name, batch, row);
    if (text !== undefined) rest += `,"${name}":${JSON.stringify(text)}`;
  }
  const time = timeOf(parts, batch, row);
  rest += (time === undefined ? '' : `,"time":${time}`) + fieldsOf(parts, batch, row);
  return Buffer.concat([Buffer.from('{"event":'), body, Buffer.from(`${rest}}`)]);
}

const KEYS = ['host', 'source', 'sourcetype', 'index'] as const;

export interface RawText {
  readonly bytes: Uint8Array;
  /** With its question mark. */
  readonly query: string;
}

/** Undefined, with a warning, for what is no text. */
export function rawText(parts: EnvelopeParts, batch: EventBatch, row: number): RawText | undefined {
  const value = parts.raw?.value(batch, row) ?? null;
  if (typeof value !== 'string') {
    parts.warn('raw', `\`raw\` must be a string, got \`${typeOf(value)}\`; the event is skipped`);
    return undefined;
  }
  const query = new URLSearchParams();
  for (const name of KEYS) {
    const text = textOf(parts, name, batch, row);
    if (text !== undefined) query.set(name, text);
  }
  const time = timeOf(parts, batch, row);
  if (time !== undefined) query.set('time', time);
  return { bytes: Buffer.from(value), query: `?${query}` };
}

function textOf(
  parts: EnvelopeParts,
  name: 'host' | 'source' | 'sourcetype' | 'index',
  batch: EventBatch,
  row: number,
): string | undefined {
  const value = parts[name]?.value(batch, row) ?? null;
  if (typeof value === 'string') return value;
  if (value !== null) parts.warn(name, `\`${name}\` must be a string, got \`${typeOf(value)}\`; it is left out`);
  return name === 'sourcetype' ? '_json' : undefined;
}

function timeOf(parts: EnvelopeParts, batch: EventBatch, row: number): string | undefined {
  const value = parts.time?.value(batch, row) ?? null;
  if (value === null) return undefined;
  if (value instanceof Time && value.ns >= 0n) {
    return `${value.ns / 1_000_000_000n}.${String(value.ns % 1_000_000_000n)
      .padStart(9, '0')
      .slice(0, 3)}`;
  }
  if (typeof value === 'bigint' && value >= 0n) return String(value);
  if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return printFloat(value);
  parts.warn('time', '`time` must be a time or a non-negative number of seconds; it is left out');
  return undefined;
}

function fieldsOf(parts: EnvelopeParts, batch: EventBatch, row: number): string {
  const value = parts.fields?.value(batch, row) ?? null;
  if (value === null) return '';
  if (!(value instanceof RecordValue)) {
    parts.warn('fields', '`fields` must be a record; it is left out');
    return '';
  }
  const kept: [string, Value][] = [];
  for (const [name, field] of value.entries()) {
    const isFit =
      typeof field === 'string' || (Array.isArray(field) && field.every(element => typeof element === 'string'));
    if (isFit) kept.push([name, field]);
    else parts.warn('fields', `\`fields.${name}\` must be a string or list of strings; omitting field`);
  }
  return kept.length > 0 ? `,"fields":${printJson(new RecordValue(kept))}` : '';
}
