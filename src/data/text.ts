/**
 * Texts of times, durations, addresses and numbers, both ways: how TQL prints them and what a text means.
 *
 *   time       YYYY-MM-DDTHH:MM:SS[.fff|.ffffff|.fffffffff]Z
 *   duration   one decimal number in the largest unit that is not greater than the value: 4.5h, 1.5min, 45ms; as short as
 *              a double's where that is exact, else with as many digits as it takes
 *   both within int64 nanoseconds: 1677 to 2262, 106,751 days
 *   float      always with `.0` when whole; exponent form from about 1e16
 *   ip         dotted IPv4 where it is one, else the shortest IPv6 form (RFC 5952)
 *
 * Invariants
 * I1 reading what was printed gives an equal value.
 */
import { Duration, Ip, Subnet, Time } from './value.ts';

const NS_PER_MS = 1_000_000n;

export function printTime(time: Time): string {
  const { ns } = time;
  let ms = ns / NS_PER_MS;
  let rest = ns % NS_PER_MS;
  if (rest < 0n) {
    rest += NS_PER_MS;
    ms -= 1n;
  }
  const iso = new Date(Number(ms)).toISOString();
  const seconds = iso.slice(0, -5);
  const fraction = iso.slice(-4, -1) + String(rest).padStart(6, '0');
  if (fraction === '000000000') return `${seconds}Z`;
  const digits = fraction.endsWith('000000') ? 3 : fraction.endsWith('000') ? 6 : 9;
  return `${seconds}.${fraction.slice(0, digits)}Z`;
}

const DATE_TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9})\d*)?)?(?:Z| ?(?:UTC|GMT|UT)| ?([+-])(\d{2}):?(\d{2}))?)?$/;

/** ISO 8601 date, or date and time with an optional fraction and zone; UTC without one. */
export function readTime(text: string): Time | undefined {
  const match = DATE_TIME.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', sign, zoneHour, zoneMinute] =
    match;
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const date = new Date(ms);
  const isReal =
    date.getUTCFullYear() === Number(year) &&
    date.getUTCMonth() === Number(month) - 1 &&
    date.getUTCDate() === Number(day) &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(zoneHour ?? 0) < 24 &&
    Number(zoneMinute ?? 0) < 60;
  if (!isReal || Number(second) > 59) return undefined;
  let ns = BigInt(ms) * NS_PER_MS + BigInt(fraction.padEnd(9, '0'));
  if (sign !== undefined) {
    const offset = BigInt(Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000_000_000n;
    ns += sign === '+' ? -offset : offset;
  }
  return isInt64(ns) ? new Time(ns) : undefined;
}

function isInt64(ns: bigint): boolean {
  return BigInt.asIntN(64, ns) === ns;
}

const DURATION_UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400e9],
  ['h', 3_600e9],
  ['min', 60e9],
  ['s', 1e9],
  ['ms', 1e6],
  ['us', 1e3],
  ['ns', 1],
];

export function printDuration({ ns }: Duration): string {
  const magnitude = ns < 0n ? -ns : ns;
  const [unit, size] = DURATION_UNITS.find(([, candidate]) => magnitude >= candidate) ?? ['ns', 1];
  let text = String(Number(magnitude) / size);
  for (let digits = 1; scaleExactly(text, size) !== magnitude; digits++) text = decimal(magnitude, size, digits);
  return `${ns < 0n ? '-' : ''}${text}${unit}`;
}

/** A quotient rounded to so many digits behind the point. */
function decimal(dividend: bigint, divisor: number, digits: number): string {
  const size = BigInt(divisor);
  const scaled = (dividend * 10n ** BigInt(digits) + size / 2n) / size;
  const text = String(scaled).padStart(digits + 1, '0');
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

const UNIT_NS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ns: 1,
    nanosecond: 1,
    nanoseconds: 1,
    us: 1e3,
    microsecond: 1e3,
    microseconds: 1e3,
    ms: 1e6,
    millisecond: 1e6,
    milliseconds: 1e6,
    s: 1e9,
    sec: 1e9,
    second: 1e9,
    seconds: 1e9,
    m: 60e9,
    min: 60e9,
    minute: 60e9,
    minutes: 60e9,
    h: 3_600e9,
    hr: 3_600e9,
    hour: 3_600e9,
    hours: 3_600e9,
    d: 86_400e9,
    day: 86_400e9,
    days: 86_400e9,
    w: 604_800e9,
    week: 604_800e9,
    weeks: 604_800e9,
    // A year is 365.2425 days, a month a twelfth of it.
    mo: 2_629_746e9,
    month: 2_629_746e9,
    months: 2_629_746e9,
    y: 31_556_952e9,
    year: 31_556_952e9,
    years: 31_556_952e9,
  }),
);

const DURATION_PART = /(\d[\d_]*(?:\.\d+)?)([a-z]+)/gy;

/** `45ms`, `1.5min`, `2h30min`, with an optional sign. */
export function readDuration(text: string): Duration | undefined {
  const isNegative = text.startsWith('-');
  const body = isNegative ? text.slice(1) : text;
  if (body === '') return undefined;
  let total = 0n;
  let end = 0;
  DURATION_PART.lastIndex = 0;
  for (let match = DURATION_PART.exec(body); match; match = DURATION_PART.exec(body)) {
    const size = UNIT_NS.get(match[2]!);
    if (size === undefined) return undefined;
    total += scaleExactly(match[1]!.replaceAll('_', ''), size);
    end = DURATION_PART.lastIndex;
  }
  if (end !== body.length) return undefined;
  const ns = isNegative ? -total : total;
  return isInt64(ns) ? new Duration(ns) : undefined;
}

/** Decimal text times a whole number of nanoseconds, to the nearest one, without a detour through doubles. */
function scaleExactly(decimal: string, size: number): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  const digits = fraction.slice(0, 18);
  const unit = 10n ** BigInt(digits.length);
  return BigInt(whole) * BigInt(size) + (BigInt(digits || '0') * BigInt(size) + unit / 2n) / unit;
}

export function printFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return Object.is(value, -0) ? '-0.0' : `${value}.0`;
  const text = String(value);
  return Math.abs(value) >= 1e16 && !text.includes('e') ? value.toExponential() : text;
}

export function printIp(ip: Ip): string {
  if (ip.isV4) {
    const bits = Number(ip.bits & 0xffff_ffffn);
    return [24, 16, 8, 0].map(shift => (bits >>> shift) & 0xff).join('.');
  }
  const groups = Array.from({ length: 8 }, (_, i) => Number((ip.bits >> BigInt(112 - 16 * i)) & 0xffffn));
  const [start, length] = longestZeroRun(groups);
  const hex = (part: readonly number[]): string => part.map(group => group.toString(16)).join(':');
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function longestZeroRun(groups: readonly number[]): readonly [number, number] {
  let best: readonly [number, number] = [0, 0];
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - i > best[1]) best = [i, end - i];
  }
  return best;
}

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

export function readIp(text: string): Ip | undefined {
  const v4 = IPV4.exec(text);
  if (v4) {
    const bytes = v4.slice(1).map(Number);
    if (bytes.some(byte => byte > 255)) return undefined;
    return new Ip((0xffffn << 32n) | bytes.reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n));
  }
  if (!text.includes(':') || !/^[0-9a-fA-F:.]+$/.test(text)) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0]!);
  const tail = halves.length === 2 ? groupsOf(halves[1]!) : [];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return new Ip(groups.reduce((bits, group) => (bits << 16n) | BigInt(group), 0n));
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  for (const part of text.split(':')) {
    const v4 = part.includes('.') ? readIp(part) : undefined;
    if (v4) groups.push(Number((v4.bits >> 16n) & 0xffffn), Number(v4.bits & 0xffffn));
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

export function printSubnet(subnet: Subnet): string {
  const isV4 = subnet.address.isV4 && subnet.prefix >= 96;
  return `${printIp(subnet.address)}/${isV4 ? subnet.prefix - 96 : subnet.prefix}`;
}

export function readSubnet(text: string): Subnet | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = readIp(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (!address || !/^\d{1,3}$/.test(length)) return undefined;
  const bits = Number(length);
  if (bits > (address.isV4 ? 32 : 128)) return undefined;
  return new Subnet(address, address.isV4 ? bits + 96 : bits);
}
