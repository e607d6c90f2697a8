/**
 * Values as JSON (indented or in a line) and as TQL (spec of TQL, section 8).
 *
 * JSON: times as ISO, durations, addresses and subnets as strings in the TQL form, blobs as base64, secrets as "***",
 * 64-bit integers with all digits. A float that is not finite is null, as JSON has no such number.
 */
import { printDuration, printFloat, printIp, printSubnet, printTime } from './text.ts';
import { Blob, Duration, Ip, RecordValue, Secret, Subnet, textsOf, Time, type Value } from './value.ts';

export interface JsonStyle {
  /** Blanks a level; 0 prints one line without blanks. */
  readonly indent?: number;
  readonly stripNullFields?: boolean;
  readonly stripNullsInLists?: boolean;
  readonly stripEmptyRecords?: boolean;
  readonly stripEmptyLists?: boolean;
}

export function printJson(value: Value, style: JsonStyle = {}): string {
  return new JsonPrinter(style).print(value, 0);
}

class JsonPrinter {
  private readonly style: JsonStyle;
  private readonly indent: number;

  constructor(style: JsonStyle) {
    this.style = style;
    this.indent = style.indent ?? 0;
  }

  print(value: Value, depth: number): string {
    if (value === null || typeof value === 'boolean') return String(value);
    if (typeof value === 'bigint') return value.toString();
    if (typeof value === 'number') return jsonNumber(value);
    if (typeof value === 'string') return JSON.stringify(value);
    if (Array.isArray(value)) return this.list(value, depth);
    if (value instanceof RecordValue) return this.record(value, depth);
    return JSON.stringify(plainText(value as Exclude<Value, RecordValue>));
  }

  private list(values: readonly Value[], depth: number): string {
    const texts = textsOf(values);
    const parts: string[] = [];
    values.forEach((value, i) => {
      if ((value === null && this.style.stripNullsInLists) || this.isStripped(value)) return;
      parts.push(texts?.[i] ?? this.print(value, depth + 1));
    });
    return this.enclose('[', parts, ']', depth);
  }

  private record(value: RecordValue, depth: number): string {
    const colon = this.indent > 0 ? ': ' : ':';
    const parts: string[] = [];
    for (const [name, field] of value.entries()) {
      if ((field === null && this.style.stripNullFields) || this.isStripped(field)) continue;
      parts.push(JSON.stringify(name) + colon + (value.textOf(name) ?? this.print(field, depth + 1)));
    }
    return this.enclose('{', parts, '}', depth);
  }

  private isStripped(value: Value): boolean {
    if (value instanceof RecordValue) return this.style.stripEmptyRecords === true && this.isEmptyRecord(value);
    return this.style.stripEmptyLists === true && Array.isArray(value) && value.length === 0;
  }

  private isEmptyRecord(value: RecordValue): boolean {
    for (const [, field] of value.entries()) {
      if (!(field === null && this.style.stripNullFields) && !this.isStripped(field)) return false;
    }
    return true;
  }

  private enclose(open: string, parts: readonly string[], close: string, depth: number): string {
    if (parts.length === 0) return open + close;
    if (this.indent === 0) return open + parts.join(',') + close;
    const inner = `\n${' '.repeat(this.indent * (depth + 1))}`;
    return `${open}${inner}${parts.join(`,${inner}`)}\n${' '.repeat(this.indent * depth)}${close}`;
  }
}

function jsonNumber(value: number): string {
  return Number.isFinite(value) ? printFloat(value) : 'null';
}

function plainText(value: Exclude<Value, RecordValue>): string {
  if (value instanceof Time) return printTime(value);
  if (value instanceof Duration) return printDuration(value);
  if (value instanceof Ip) return printIp(value);
  if (value instanceof Subnet) return printSubnet(value);
  if (value instanceof Blob) return Buffer.from(value.bytes).toString('base64');
  return '***';
}

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

export interface TqlStyle {
  /** One line an event. */
  readonly isCompact?: boolean;
}

export function printTql(value: Value, style: TqlStyle = {}, depth = 0): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return printFloat(value);
  if (typeof value === 'string') return quote(value);
  if (value instanceof Blob) return `b${quoteBytes(value.bytes)}`;
  if (value instanceof Secret) return '"***"';
  if (Array.isArray(value)) {
    return encloseTql(
      '[',
      value.map(element => printTql(element, style, depth + 1)),
      ']',
      style,
      depth,
    );
  }
  if (value instanceof RecordValue) {
    const parts = [...value.entries()].map(
      ([name, field]) => `${IDENTIFIER.test(name) ? name : quote(name)}: ${printTql(field, style, depth + 1)}`,
    );
    return encloseTql('{', parts, '}', style, depth);
  }
  return plainText(value as Exclude<Value, RecordValue>);
}

function encloseTql(open: string, parts: readonly string[], close: string, style: TqlStyle, depth: number): string {
  if (parts.length === 0) return open + close;
  if (style.isCompact) return `${open}${parts.join(', ')}${close}`;
  const inner = '  '.repeat(depth + 1);
  return `${open}\n${parts.map(part => `${inner}${part},\n`).join('')}${'  '.repeat(depth)}${close}`;
}

const ESCAPES: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\t': '\\t', '\r': '\\r' };

function quote(text: string): string {
  const escaped = text.replace(/["\\\n\t\r]/g, char => ESCAPES[char]!);
  return `"${escaped.replace(/[\u0000-\u001f\u007f]/g, char => `\\u{${char.charCodeAt(0).toString(16)}}`)}"`;
}

function quoteBytes(bytes: Uint8Array): string {
  let text = '"';
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    if (byte < 0x20 || byte >= 0x7f) text += `\\x${byte.toString(16).padStart(2, '0').toUpperCase()}`;
    else text += ESCAPES[char] ?? char;
  }
  return `${text}"`;
}
