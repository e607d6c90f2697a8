/**
 * Values as text without loss, for states that outlive the process, and as keys that are equal exactly when values are.
 *
 *   JSON, where a list is always tagged by its first element:
 *     ["list", …]                  ["record", [name, value], …]
 *     ["time", ns] ["duration", ns] ["ip", "bits"] ["subnet", "bits", prefix] ["blob", "base64"]
 *     ["int", "digits"]            beyond 64 bits
 *     ["float", "NaN" | "Infinity" | "-Infinity"]
 *   null, bools, texts, 64-bit integers and all other floats stand for themselves (a float has a point or an exponent)
 *
 * A secret is written as three asterisks: its text never leaves the process.
 *
 * Invariants
 * I1 decoding what was encoded gives an equal value of the same type, NaN and -0 included.
 * I2 `keyOf` gives the same text for values that `equals` calls equal, and for two NaNs, and only for such.
 */
import { parseJsonText } from './json.ts';
import { printFloat } from './text.ts';
import { Blob, Duration, Ip, RecordValue, Secret, Subnet, Time, type Value } from './value.ts';

const INT_MIN = -(2n ** 63n);
const UINT_MAX = 2n ** 64n - 1n;

export function encodeValue(value: Value): string {
  return encode(value, false);
}

/** Equal values have equal keys: whole floats are written as integers are, fields in the order of their names. */
export function keyOf(value: Value): string {
  return encode(value, true);
}

function encode(value: Value, isKey: boolean): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return integer(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return tagged('float', JSON.stringify(String(value)));
    return isKey && Number.isInteger(value) ? integer(BigInt(value)) : printFloat(value);
  }
  if (value instanceof Time) return tagged('time', integer(value.ns));
  if (value instanceof Duration) return tagged('duration', integer(value.ns));
  if (value instanceof Ip) return tagged('ip', `"${value.bits}"`);
  if (value instanceof Subnet) return tagged('subnet', `"${value.address.bits}"`, String(value.prefix));
  if (value instanceof Blob) return tagged('blob', `"${Buffer.from(value.bytes).toString('base64')}"`);
  if (value instanceof Secret) return '"***"';
  if (value instanceof RecordValue) {
    const fields = [...value.entries()].map(([name, field]) => `[${JSON.stringify(name)},${encode(field, isKey)}]`);
    return tagged('record', ...(isKey ? fields.sort() : fields));
  }
  return tagged('list', ...value.map(element => encode(element, isKey)));
}

function tagged(tag: string, ...parts: readonly string[]): string {
  return `[${[`"${tag}"`, ...parts].join(',')}]`;
}

function integer(value: bigint): string {
  return value >= INT_MIN && value <= UINT_MAX ? value.toString() : tagged('int', `"${value}"`);
}

export function decodeValue(text: string): Value {
  return decode(parseJsonText(text));
}

function decode(value: Value): Value {
  if (!Array.isArray(value)) return value;
  const [tag, ...parts] = value as readonly Value[];
  switch (tag) {
    case 'list':
      return parts.map(decode);
    case 'record':
      return new RecordValue(
        parts.map(part => {
          const [name, field] = part as readonly Value[];
          return [name as string, decode(field!)] as const;
        }),
      );
    case 'time':
      return new Time(parts[0] as bigint);
    case 'duration':
      return new Duration(parts[0] as bigint);
    case 'ip':
      return new Ip(BigInt(parts[0] as string));
    case 'subnet':
      return new Subnet(new Ip(BigInt(parts[0] as string)), Number(parts[1]));
    case 'blob':
      return new Blob(new Uint8Array(Buffer.from(parts[0] as string, 'base64')));
    case 'int':
      return BigInt(parts[0] as string);
    case 'float':
      return Number(parts[0]);
    default:
      throw new Error(`a state names the unknown type ${String(tag)}`);
  }
}
