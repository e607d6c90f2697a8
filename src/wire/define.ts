/**
 * The definition language of protocol messages. A definition is data: the generator (`tools/gen-wire`) turns it into
 * types and straight-line codecs of all versions and both directions in `wire/generated`.
 *
 *   since, until     versions in which the field is on the wire; elsewhere a reader assumes the default
 *   nullableSince    from this version on null is allowed
 *   tag              an optional tagged field (flexible versions only)
 *   default          of numbers 0, of strings '', of arrays [], of uuids zero, unless given
 *   records          an opaque byte range, read by `wire/records`, never by a message codec
 */
export type PrimitiveType =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint16'
  | 'float64'
  | 'string'
  | 'bytes'
  | 'records'
  | 'uuid';

export interface FieldDefinition {
  readonly name: string;
  readonly type: PrimitiveType | 'array' | 'struct';
  readonly since?: number;
  readonly until?: number;
  readonly nullableSince?: number;
  readonly tag?: number;
  readonly default?: null | boolean | number;
  /** Element type of an array, fields of an array of structures or of a structure. */
  readonly of?: PrimitiveType | readonly FieldDefinition[];
}

export interface MessageDefinition {
  readonly key: number;
  readonly name: string;
  /** First and last version, inclusive. */
  readonly versions: readonly [number, number];
  /** First version with compact encodings and tagged fields; absent where there is none. */
  readonly flexibleSince?: number;
  readonly request: readonly FieldDefinition[];
  readonly response: readonly FieldDefinition[];
}

/** A structure that travels inside opaque bytes, behind its own version number. */
export interface EmbeddedDefinition {
  readonly name: string;
  readonly versions: readonly [number, number];
  readonly fields: readonly FieldDefinition[];
}

export function defineMessage(definition: MessageDefinition): MessageDefinition {
  return definition;
}

export function defineEmbedded(definition: EmbeddedDefinition): EmbeddedDefinition {
  return definition;
}
