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

const KEYS = ['host', 'source', 'sourcetype', 'index'] as const;
const OPENING = Buffer.from('{"event":');
const NS = 1_000_000_000n;
const NULL = Buffer.from('null');

/** Envelopes as pieces: an event that leaves as it came in is not copied here. */
export class Envelopes {
  private readonly parts: EnvelopeParts;
  /** What stood behind the last event: it is often the same. */
  private last = { text: '', bytes: Buffer.from('}') as Uint8Array };

  constructor(parts: EnvelopeParts) {
    this.parts = parts;
  }

  of(batch: EventBatch, row: number): readonly Uint8Array[] {
    return [OPENING, this.event(batch, row), this.rest(batch, row)];
  }

  private event(batch: EventBatch, row: number): Uint8Array {
    const { event, includesNulls } = this.parts;
    if (event) return Buffer.from(printJson(event.value(batch, row), { stripNullFields: !includesNulls }));
    if (batch.hasDocuments || includesNulls) {
      const bytes = batch.jsonOf(row);
      // Without the word there is no null field that would have to go.
      if (includesNulls || Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(NULL) < 0) return bytes;
    }
    return Buffer.from(printJson(batch.record(row), { stripNullFields: !includesNulls }));
  }

  /** `,"host":"…"` and so on, with only the keys that are set. */
  private rest(batch: EventBatch, row: number): Uint8Array {
    const { parts } = this;
    let text = '';
    for (const name of KEYS) {
      const value = textOf(parts, name, batch, row);
      if (value !== undefined) text += `,"${name}":${JSON.stringify(value)}`;
    }
    const time = timeOf(parts, batch, row);
    text += (time === undefined ? '' : `,"time":${time}`) + fieldsOf(parts, batch, row);
    if (text !== this.last.text) this.last = { text, bytes: Buffer.from(`${text}}`) };
    return this.last.bytes;
  }
}

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
    const fraction = String(value.ns % NS)
      .padStart(9, '0')
      .replace(/0+$/, '');
    return `${value.ns / NS}.${fraction.padEnd(3, '0')}`;
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
