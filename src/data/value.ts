/**
 * Values of events, one row at a time: the reference representation that every function and operator can take.
 *
 *   null, boolean          themselves
 *   int, uint              bigint, exact over -2^63 … 2^64-1
 *   float                  number
 *   string                 string
 *   time, duration         `Time`, `Duration`: nanoseconds as bigint
 *   blob, ip, subnet       `Blob`, `Ip`, `Subnet`
 *   secret                 `Secret`: a handle; its text is taken only where it is used, everything prints "***"
 *   list                   array of values, mixed types allowed
 *   record                 `RecordValue`: ordered fields
 *
 * Values are immutable but for records that their maker has not yet handed out.
 */
import { assert } from '../base/index.ts';

export class Time {
  /** Nanoseconds since 1970. */
  readonly ns: bigint;
  constructor(ns: bigint) {
    this.ns = ns;
  }
  static fromMs(ms: number): Time {
    return new Time(BigInt(Math.round(ms * 1e6)));
  }
  get ms(): number {
    return Number(this.ns) / 1e6;
  }
}

export class Duration {
  readonly ns: bigint;
  constructor(ns: bigint) {
    this.ns = ns;
  }
  get ms(): number {
    return Number(this.ns) / 1e6;
  }
}

export class Blob {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** IPv4 lies inside IPv6 (`::ffff:a.b.c.d`), so that all addresses are 128 bits. */
export class Ip {
  readonly bits: bigint;
  constructor(bits: bigint) {
    this.bits = bits;
  }
  get isV4(): boolean {
    return this.bits >> 32n === 0xffffn;
  }
}

export class Subnet {
  readonly address: Ip;
  /** Prefix length over 128 bits; an IPv4 prefix counts from 96. */
  readonly prefix: number;
  constructor(address: Ip, prefix: number) {
    assert(prefix >= 0 && prefix <= 128, 'a prefix has 0 to 128 bits');
    this.prefix = prefix;
    const host = BigInt(128 - prefix);
    this.address = new Ip((address.bits >> host) << host);
  }
  /** Undefined for a value that is neither an address nor a subnet. */
  contains(value: Value): boolean | undefined {
    if (value instanceof Ip) return new Subnet(value, this.prefix).address.bits === this.address.bits;
    if (value instanceof Subnet) {
      return value.prefix >= this.prefix && new Subnet(value.address, this.prefix).address.bits === this.address.bits;
    }
    return undefined;
  }
}

export class Secret {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  static join(parts: readonly (string | Secret)[]): Secret {
    return new Secret(parts.map(part => (part instanceof Secret ? part.#text : part)).join(''));
  }
  /** The text itself; call it only at the place of use. */
  reveal(): string {
    return this.#text;
  }
  toString(): string {
    return '***';
  }
  toJSON(): string {
    return '***';
  }
}

export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Time
  | Duration
  | Blob
  | Ip
  | Subnet
  | Secret
  | ListValue
  | RecordValue;

export type ListValue = readonly Value[];

const textsOfLists = new WeakMap<ListValue, readonly (string | undefined)[]>();

/** Keeps the JSON texts that elements of a list came from, as records keep those of their fields. */
export function rememberTexts(list: ListValue, texts: readonly (string | undefined)[]): void {
  textsOfLists.set(list, texts);
}

export function textsOf(list: ListValue): readonly (string | undefined)[] | undefined {
  return textsOfLists.get(list);
}

export interface Change {
  readonly path: readonly string[];
  readonly value: Value;
  /** The JSON text that the value came from. */
  readonly text?: string | undefined;
}

/**
 * Ordered fields; setting an existing one keeps its position.
 *
 * A record that was read from JSON remembers the text of its scalar fields, so that what nobody changed is printed as it
 * came in (`1.0`, `1e5`, `"\u0041"`), also under another name. Setting a field to another value forgets its text.
 */
export class RecordValue {
  private readonly fields: Map<string, Value>;
  private texts: Map<string, string> | undefined;

  constructor(entries: Iterable<readonly [string, Value]> = [], texts?: Map<string, string>) {
    this.fields = new Map(entries);
    this.texts = texts;
  }

  /** The JSON text that the field came from, while it is unchanged. */
  textOf(name: string): string | undefined {
    return this.texts?.get(name);
  }

  get(name: string): Value | undefined {
    return this.fields.get(name);
  }

  has(name: string): boolean {
    return this.fields.has(name);
  }

  get size(): number {
    return this.fields.size;
  }

  keys(): IterableIterator<string> {
    return this.fields.keys();
  }

  entries(): IterableIterator<[string, Value]> {
    return this.fields.entries();
  }

  /** The value at a path; undefined when a field is missing or what should hold it is no record. */
  at(path: readonly string[]): Value | undefined {
    let value: Value | undefined = this;
    for (const name of path) {
      if (!(value instanceof RecordValue)) return undefined;
      value = value.fields.get(name);
      if (value === undefined) return undefined;
    }
    return value;
  }

  /** `textOf` of the field at a path. */
  textAt(path: readonly string[]): string | undefined {
    const parent = path.length > 1 ? this.at(path.slice(0, -1)) : this;
    return parent instanceof RecordValue ? parent.textOf(path.at(-1) ?? '') : undefined;
  }

  with(name: string, value: Value, text?: string): RecordValue {
    return this.changed([], [{ path: [name], value, text }]);
  }

  /** A copy with the value at the path; makes records on the way and replaces what is none. */
  withAt(path: readonly string[], value: Value, text?: string): RecordValue {
    return this.changed([], [{ path, value, text }]);
  }

  withoutAt(path: readonly string[]): RecordValue {
    return this.changed([path], []);
  }

  /** A copy without the fields at some paths, then with the changes in their order. */
  changed(removed: readonly (readonly string[])[], changes: readonly Change[]): RecordValue {
    const draft = this.copy();
    // Records that are the draft's own may be changed where they stand.
    const own = new Set<RecordValue>([draft]);
    for (const path of removed) {
      const parent = draft.at(path.slice(0, -1));
      if (parent instanceof RecordValue && parent.has(path.at(-1) ?? '')) draft.ownedAt(path, own).delete(path.at(-1)!);
    }
    for (const { path, text, value } of changes) {
      assert(path.length > 0, 'an empty path names the record itself');
      draft.ownedAt(path, own).put(path.at(-1)!, value, text);
    }
    return draft;
  }

  /** The record that holds the last name of a path, as the draft's own. */
  private ownedAt(path: readonly string[], own: Set<RecordValue>): RecordValue {
    let at: RecordValue = this;
    for (const name of path.slice(0, -1)) {
      const inner = at.fields.get(name);
      let next = inner instanceof RecordValue ? inner : new RecordValue();
      if (!own.has(next)) {
        next = next.copy();
        own.add(next);
        at.put(name, next, undefined);
      }
      at = next;
    }
    return at;
  }

  private copy(): RecordValue {
    return new RecordValue(this.fields, this.texts && new Map(this.texts));
  }

  private put(name: string, value: Value, text: string | undefined): void {
    this.fields.set(name, value);
    if (text !== undefined) (this.texts ??= new Map()).set(name, text);
    else this.texts?.delete(name);
  }

  private delete(name: string): void {
    this.fields.delete(name);
    this.texts?.delete(name);
  }
}

export type TypeName =
  | 'null'
  | 'bool'
  | 'int64'
  | 'uint64'
  | 'double'
  | 'string'
  | 'time'
  | 'duration'
  | 'blob'
  | 'ip'
  | 'subnet'
  | 'secret'
  | 'list'
  | 'record';

const INT_MAX = 2n ** 63n - 1n;

export function typeOf(value: Value): TypeName {
  if (value === null) return 'null';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return value > INT_MAX ? 'uint64' : 'int64';
    case 'number':
      return 'double';
    case 'string':
      return 'string';
    default:
      if (Array.isArray(value)) return 'list';
      if (value instanceof RecordValue) return 'record';
      if (value instanceof Time) return 'time';
      if (value instanceof Duration) return 'duration';
      if (value instanceof Blob) return 'blob';
      if (value instanceof Ip) return 'ip';
      if (value instanceof Subnet) return 'subnet';
      return 'secret';
  }
}

/** Total equality: numbers by value across int, uint and float; lists and records deeply; anything else is unequal. */
export function equals(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  if (isNumeric(a) && isNumeric(b)) return compareNumbers(a, b) === 0;
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((element, i) => equals(element, b[i] as Value));
  }
  if (a instanceof RecordValue) return b instanceof RecordValue && equalRecords(a, b);
  if (a instanceof Secret || b instanceof Secret) return false;
  return (
    typeOf(a) === typeOf(b) && compare(a, b) === 0 && (!(a instanceof Subnet) || a.prefix === (b as Subnet).prefix)
  );
}

function equalRecords(a: RecordValue, b: RecordValue): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a.entries()) {
    const other = b.get(name);
    if (other === undefined || !equals(value, other)) return false;
  }
  return true;
}

/**
 * Negative, zero or positive; NaN when a float is NaN; undefined for types that have no common order.
 * Nulls are the caller's.
 */
export function compare(a: Value, b: Value): number | undefined {
  if (isNumeric(a) && isNumeric(b)) return compareNumbers(a, b);
  if (typeof a === 'string' && typeof b === 'string') return a === b ? 0 : compareText(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Time && b instanceof Time) return sign(a.ns - b.ns);
  if (a instanceof Duration && b instanceof Duration) return sign(a.ns - b.ns);
  if (a instanceof Ip && b instanceof Ip) return sign(a.bits - b.bits);
  if (a instanceof Subnet && b instanceof Subnet) return sign(a.address.bits - b.address.bits) || a.prefix - b.prefix;
  if (a instanceof Blob && b instanceof Blob) return Buffer.compare(a.bytes, b.bytes);
  return undefined;
}

/** By code points, so that order is that of the UTF-8 bytes. */
function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function compareNumbers(a: number | bigint, b: number | bigint): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
  return a < b ? -1 : a > b ? 1 : 0;
}

function isNumeric(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function sign(difference: bigint): number {
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
