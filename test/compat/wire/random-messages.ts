/** Random messages of a definition, and what Kafka's JSON converters must say of them. */
import fc from 'fast-check';
import type { FieldDefinition, PrimitiveType } from '../../../src/wire/define.ts';
import { ZERO_UUID } from '../../../src/wire/index.ts';
import { type JarName, theirName } from './kafka-schema.ts';

export type Message = Record<string, unknown>;

const INT64_MAX = 2 ** 63;

export function isIn(field: FieldDefinition, version: number): boolean {
  return version >= (field.since ?? 0) && version <= (field.until ?? Number.POSITIVE_INFINITY);
}

/** What a reader assumes where a version lacks the field. */
export function defaultOf(field: FieldDefinition): unknown {
  if (field.default !== undefined) return field.default;
  switch (field.type) {
    case 'bool':
      return false;
    case 'string':
      return '';
    case 'uuid':
      return ZERO_UUID;
    case 'array':
      return [];
    case 'bytes':
    case 'records':
      return field.nullableSince === undefined ? Buffer.alloc(0) : null;
    case 'struct':
      if (field.nullableSince !== undefined) return null;
      return Object.fromEntries((field.of as readonly FieldDefinition[]).map(inner => [inner.name, defaultOf(inner)]));
    default:
      return 0;
  }
}

/** Every field: random where the version has it, its default elsewhere. So the reader's result must equal it. */
export function messages(fields: readonly FieldDefinition[], version: number): fc.Arbitrary<Message> {
  const entries = fields.map(field => [
    field.name,
    isIn(field, version) ? fieldValues(field, version) : fc.constant(defaultOf(field)),
  ]);
  return fc.record(Object.fromEntries(entries) as Record<string, fc.Arbitrary<unknown>>, { noNullPrototype: true });
}

function fieldValues(field: FieldDefinition, version: number): fc.Arbitrary<unknown> {
  const isNullable = field.nullableSince !== undefined && version >= field.nullableSince;
  const definite = definiteValues(field, version);
  const values = isNullable ? fc.option(definite, { freq: 4 }) : definite;
  // The default decides whether a tagged field is on the wire at all.
  return fc.oneof(
    { weight: 7, arbitrary: values },
    { weight: 1, arbitrary: fc.constant(legalDefault(field, isNullable)) },
  );
}

/** A default of null may stand before the version that allows null to be written. */
function legalDefault(field: FieldDefinition, isNullable: boolean): unknown {
  const value = defaultOf(field);
  if (value !== null || isNullable) return value;
  return field.type === 'string' ? '' : Buffer.alloc(0);
}

function definiteValues(field: FieldDefinition, version: number): fc.Arbitrary<unknown> {
  if (field.type === 'struct') return messages(field.of as readonly FieldDefinition[], version);
  if (field.type !== 'array') return primitives(field.type);
  const element = typeof field.of === 'string' ? primitives(field.of) : messages(field.of!, version);
  return fc.array(element, { maxLength: 4, size: 'small' });
}

function primitives(type: PrimitiveType): fc.Arbitrary<unknown> {
  switch (type) {
    case 'bool':
      return fc.boolean();
    case 'int8':
      return fc.integer({ min: -128, max: 127 });
    case 'int16':
      return fc.integer({ min: -32_768, max: 32_767 });
    case 'uint16':
      return fc.integer({ min: 0, max: 65_535 });
    case 'int32':
      return fc.integer();
    case 'int64':
      return fc.oneof(fc.maxSafeInteger(), fc.constantFrom(INT64_MAX, -INT64_MAX, -1, 0));
    case 'float64':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'uuid':
      return bytes(16, 16).map(value => value.toString('hex'));
    // Beyond 126 bytes a compact length takes two bytes.
    case 'string':
      return fc.oneof(
        { weight: 6, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
        { weight: 1, arbitrary: fc.integer({ min: 120, max: 300 }).map(length => 'é'.repeat(length / 2)) },
      );
    case 'bytes':
    case 'records':
      return fc.oneof({ weight: 6, arbitrary: bytes(0, 40) }, { weight: 1, arbitrary: bytes(1_000, 1_400) });
  }
}

function bytes(minLength: number, maxLength: number): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ minLength, maxLength, size: 'max' }).map(value => Buffer.from(value));
}

/** The message as `…JsonConverter.write` shows it, with the jar's own field names. */
export function kafkaJson(
  jar: JarName,
  name: string,
  fields: readonly FieldDefinition[],
  message: Message,
  version: number,
  prefix: readonly string[] = [],
): Message {
  const json: Message = {};
  for (const field of fields.filter(candidate => isIn(candidate, version))) {
    const value = message[field.name];
    if (field.tag !== undefined && isSame(value, defaultOf(field))) continue;
    const their = theirName(jar, name, prefix, field.name + (field.type === 'array' ? '[]' : ''));
    const key = their.replace('[]', '');
    if (field.type === 'records' && value !== null) json[`${key}SizeInBytes`] = (value as Buffer).length;
    else {
      const inside = (inner: unknown): unknown =>
        kafkaJson(jar, name, field.of as readonly FieldDefinition[], inner as Message, version, [...prefix, their]);
      json[key] = jsonValue(field, value, inside);
    }
  }
  return json;
}

function jsonValue(field: FieldDefinition, value: unknown, inside: (inner: unknown) => unknown): unknown {
  if (value === null) return null;
  if (field.type === 'struct') return inside(value);
  if (field.type === 'array') {
    const { of } = field;
    return (value as readonly unknown[]).map(item => (typeof of === 'string' ? jsonPrimitive(of, item) : inside(item)));
  }
  return jsonPrimitive(field.type, value);
}

function jsonPrimitive(type: PrimitiveType, value: unknown): unknown {
  if (type === 'uuid') return Buffer.from(value as string, 'hex').toString('base64url');
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(plain(a)) === JSON.stringify(plain(b));
}

/** Buffers as hex, so that views of different kinds compare by content. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
