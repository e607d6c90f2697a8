/**
 * Documents for the tests of scanners: seeded, with everything that a scanner can get wrong, whole or damaged; and the
 * comparison of two scanners' results.
 */
import { strict as assert } from 'node:assert';
import type { SeededRandom } from '../base/index.ts';
import { ByteStore } from './byte-store.ts';
import { type Path, TAG } from './column.ts';
import type { Scanner, ScanResult } from './reference-scanner.ts';

const KEYS = [
  'a',
  'b',
  'user',
  'name',
  'severity_id',
  'metadata',
  'x'.repeat(8),
  'x'.repeat(9),
  'long '.repeat(20),
  'é',
  '',
];
const TEXTS = [
  '',
  'x',
  'Zoë',
  '漢字 и 😀',
  '\\u0000',
  '\\ud83d\\ude00',
  '\\ud83d',
  '\\udc00x',
  '\\"\\\\',
  'a\\/b\\n',
  'plain '.repeat(30),
];
const NUMBERS = [
  '0',
  '-0',
  '-0.0',
  '1',
  '12345678',
  '123456789',
  '1234567890123456',
  '12345678901234567',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775808',
  '-9223372036854775809',
  '18446744073709551616',
  '1.0',
  '0.1',
  '0.30000000000000004',
  '1e22',
  '1e23',
  '1E-22',
  '-1.5e+300',
  '1e400',
  '5e-324',
  '1.7976931348623157e308',
  '9007199254740992.0',
  '0.000001234567890123456',
  '1e-99999999999',
  '1e000000000000001',
];
const ESCAPED_KEYS: readonly (readonly [string, string])[] = [
  ['a', '\\u0061'],
  ['user', 'u\\u0073er'],
  ['é', '\\u00e9'],
];
/** Scalars of a document; keys with their colons, so that they are not taken for values. */
const SCALARS = /"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[\d.eE+-]*|true|false|null/g;
const BLANKS = ['', '', '', '', ' ', '\n', '\t\r\n  ', ' '.repeat(70)];

export const CASE_PATHS: readonly Path[] = [
  ['a'],
  ['b'],
  ['user'],
  ['user', 'name'],
  ['user', 'user', 'name'],
  ['metadata', 'a', 'b'],
  ['a', 'a', 'a'],
  ['x'.repeat(8)],
  ['x'.repeat(9), 'b'],
  ['long '.repeat(20)],
  ['é'],
  [''],
  [],
];

export class Cases {
  private readonly random: SeededRandom;

  constructor(random: SeededRandom) {
    this.random = random;
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.random.below(list.length)]!;
  }

  private blank(): string {
    return this.pick(BLANKS);
  }

  document(): string {
    return this.blank() + (this.random.below(12) === 0 ? this.value(0) : this.record(0)) + this.blank();
  }

  private record(depth: number): string {
    const fields = Array.from({ length: this.random.below(6) }, () => {
      const name = this.random.below(8) === 0 ? this.pick(ESCAPED_KEYS)[1] : this.pick(KEYS);
      return `"${name}"${this.blank()}:${this.blank()}${this.value(depth + 1)}`;
    });
    return `{${this.blank()}${fields.join(`${this.blank()},${this.blank()}`)}${this.blank()}}`;
  }

  private value(depth: number): string {
    const kind = this.random.below(depth > 4 ? 6 : 9);
    if (kind < 2) return `"${this.pick(TEXTS)}"`;
    if (kind < 4) return this.pick(NUMBERS);
    if (kind === 4) return this.pick(['true', 'false', 'null']);
    if (kind === 5) return String(this.random.below(1_000_000) / 10 ** this.random.below(7));
    if (kind === 6) return `[${Array.from({ length: this.random.below(4) }, () => this.value(depth + 1)).join(',')}]`;
    return this.record(depth);
  }

  /** The document with other values between the same keys, most of them of the same kind. */
  variant(text: string): string {
    return text.replace(SCALARS, (scalar, colon: string | undefined) => {
      if (colon !== undefined) return scalar;
      const isText = (scalar[0] === '"') !== (this.random.below(40) === 0);
      if (isText) return `"${this.pick(TEXTS)}${this.pick(TEXTS)}"`;
      return this.random.below(4) === 0 ? this.pick(['true', 'false', 'null']) : this.pick(NUMBERS);
    });
  }

  /** The document with up to three bytes changed, taken out or put in. */
  damaged(text: string): Buffer {
    const bytes = [...Buffer.from(text)];
    for (let changes = 1 + this.random.below(3); changes > 0; changes--) {
      const at = this.random.below(bytes.length + 1);
      const syntax = '{}[]",:0123456789eE+-. tfn\\u/';
      const byte =
        this.random.below(3) === 0 ? this.random.below(256) : syntax.charCodeAt(this.random.below(syntax.length));
      bytes.splice(at, this.random.below(2), ...(this.random.below(3) === 0 ? [] : [byte]));
    }
    return Buffer.from(bytes);
  }
}

/** Rows with other rows' bytes right behind them, as records in a slab have. */
export function packed(pieces: readonly Uint8Array[], bytes: Uint8Array, at: number, gap: number): ByteStore {
  const spans = new Uint32Array(2 * pieces.length);
  let offset = at;
  pieces.forEach((piece, row) => {
    bytes.set(piece, offset);
    spans[2 * row] = offset;
    spans[2 * row + 1] = piece.length;
    offset += piece.length + gap;
  });
  return new ByteStore({ bytes, spans, count: pieces.length });
}

/** Every part of a result as plain values: what two scanners must agree on. */
export function contentOf(store: ByteStore, paths: readonly Path[], result: ScanResult): unknown {
  return {
    defects: result.defects,
    columns: paths.map(path => {
      const column = result.columns.get(path)!;
      return Array.from({ length: store.count }, (_, row) => {
        const tag = column.tags[row]!;
        if (tag === TAG.missing || tag === TAG.repeated) return [tag];
        const span = [column.spans[2 * row], column.spans[2 * row + 1]];
        // The bits, so that -0 and 0 differ.
        return tag === TAG.int || tag === TAG.float ? [tag, ...span, column.ints[row]] : [tag, ...span];
      });
    }),
  };
}

export function assertSame(store: ByteStore, paths: readonly Path[], one: Scanner, other: Scanner): void {
  const expected = contentOf(store, paths, one.scan(store, paths));
  assert.deepEqual(contentOf(store, paths, other.scan(store, paths)), expected);
}
