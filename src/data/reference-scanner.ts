/**
 * The plain scanner: checks JSON documents completely and extracts the values at some paths as columns, in one pass and
 * without making an object for anything. It is the reference for the kernel, takes the documents that are too long for
 * it, and finds the place of a defect.
 *
 *   paths   a trie of keys: {"user":{"name"}} for user.name; the empty path is the whole document
 *
 * Invariants
 * I1 a document is accepted exactly when `parseJson` accepts it: structure, UTF-8, strings, numbers, depth, nothing behind.
 * I2 a key that appears again marks its column and all below as repeated, and nothing more is read into them.
 * I3 integers within int64 are exact; what does not fit is `text` with its span.
 * I4 nothing is read at or beyond a document's end.
 * I5 a refused document leaves no value in any column.
 */
import type { ByteStore } from './byte-store.ts';
import { Column, Columns, distinctPaths, type Path, TAG } from './column.ts';
import { JSON_DEPTH_MAX, parseJsonText } from './json.ts';

export interface Defect {
  readonly row: number;
  /** Bytes from the document's start. */
  readonly position: number;
}

export interface ScanResult {
  readonly columns: Columns;
  /** Rows that are no well-formed document, ascending. */
  readonly defects: readonly Defect[];
}

export interface Scanner {
  /** Checks every span of the store as one document, extracting columns on the way. */
  scan(store: ByteStore, paths: readonly Path[]): ScanResult;
}

export class ReferenceScanner implements Scanner {
  scan(store: ByteStore, paths: readonly Path[]): ScanResult {
    const columns = new Columns();
    for (const path of distinctPaths(paths)) columns.set(path, new Column(store.count));
    const rows = new RowScanner(store, columns);
    const defects: Defect[] = [];
    for (let row = 0; row < store.count; row++) {
      const position = rows.scan(row);
      if (position >= 0) defects.push({ row, position });
    }
    return { columns, defects };
  }
}

/** Single rows of a store into columns that exist already. */
export class RowScanner {
  private readonly store: ByteStore;
  private readonly root: Node;
  private readonly walker: Walker;

  constructor(store: ByteStore, columns: Columns) {
    this.store = store;
    this.root = trieOf(columns);
    this.walker = new Walker(store.bytes);
  }

  /** Bytes from the document's start to its defect; -1 when it is well-formed. */
  scan(row: number): number {
    const start = this.store.spans[2 * row]!;
    const failedAt = this.walker.walk(start, start + this.store.spans[2 * row + 1]!, this.root, row);
    if (failedAt < 0) return -1;
    mark(this.root, row, TAG.missing);
    return failedAt - start;
  }
}

interface Node {
  readonly text: string;
  /** The key's bytes as they stand between quotes when nothing is escaped. */
  readonly key: Uint8Array;
  column: Column | undefined;
  readonly children: Node[];
  /** Number of the last document in which the key was seen. */
  seen: number;
}

function trieOf(columns: Columns): Node {
  const root = nodeOf('');
  for (const path of columns.paths()) {
    let node = root;
    for (const text of path) {
      let child = node.children.find(candidate => candidate.text === text);
      if (!child) node.children.push((child = nodeOf(text)));
      node = child;
    }
    node.column = columns.get(path);
  }
  return root;
}

function nodeOf(text: string): Node {
  return { text, key: Buffer.from(text), column: undefined, children: [], seen: 0 };
}

/** A key that appears again, or a refused document: what was found before no longer counts. */
function mark(node: Node, row: number, tag: number): void {
  if (node.column) node.column.tags[row] = tag;
  for (const child of node.children) mark(child, row, tag);
}

const FAIL = -1;

/** Positions are absolute; every reader returns the position behind what it read, or FAIL with `at` at the defect. */
class Walker {
  private readonly bytes: Uint8Array;
  private end = 0;
  private row = 0;
  private document = 0;
  private at = 0;
  private depth = 0;
  private hasEscape = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Position of the defect, or -1 when the document is valid. */
  walk(start: number, end: number, root: Node, row: number): number {
    this.end = end;
    this.row = row;
    this.document++;
    this.depth = 0;
    const from = this.space(start);
    const behind = this.value(from, root);
    if (behind === FAIL) return this.at;
    const last = this.space(behind);
    return last === end ? -1 : last;
  }

  private value(p: number, node: Node | undefined): number {
    const byte = p < this.end ? this.bytes[p]! : FAIL;
    const column = node?.column;
    switch (byte) {
      case 0x22: {
        const behind = this.string(p);
        if (behind !== FAIL && column)
          this.put(column, this.hasEscape ? TAG.escaped : TAG.string, p + 1, behind - p - 2);
        return behind;
      }
      case 0x7b:
        return this.nested(p, this.record(p, node), column, TAG.record);
      case 0x5b:
        return this.nested(p, this.list(p), column, TAG.list);
      case 0x74:
        return this.literal(p, 'true', column, TAG.true);
      case 0x66:
        return this.literal(p, 'false', column, TAG.false);
      case 0x6e:
        return this.literal(p, 'null', column, TAG.null);
      default:
        return this.number(p, column);
    }
  }

  private nested(p: number, behind: number, column: Column | undefined, tag: number): number {
    if (behind !== FAIL && column) this.put(column, tag, p, behind - p);
    return behind;
  }

  private record(p: number, node: Node | undefined): number {
    if (++this.depth > JSON_DEPTH_MAX) return this.fail(p);
    let q = this.space(p + 1);
    if (this.bytes[q] === 0x7d && q < this.end) return this.leave(q);
    for (;;) {
      if (q >= this.end || this.bytes[q] !== 0x22) return this.fail(q);
      const keyStart = q + 1;
      q = this.string(q);
      if (q === FAIL) return FAIL;
      const child = node && this.childOf(node, keyStart, q - 1);
      q = this.space(q);
      if (q >= this.end || this.bytes[q] !== 0x3a) return this.fail(q);
      q = this.value(this.space(q + 1), child && this.isFirst(child) ? child : undefined);
      if (q === FAIL) return FAIL;
      q = this.space(q);
      if (q >= this.end) return this.fail(q);
      if (this.bytes[q] === 0x7d) return this.leave(q);
      if (this.bytes[q] !== 0x2c) return this.fail(q);
      q = this.space(q + 1);
    }
  }

  private isFirst(node: Node): boolean {
    if (node.seen === this.document) {
      mark(node, this.row, TAG.repeated);
      return false;
    }
    node.seen = this.document;
    return true;
  }

  private list(p: number): number {
    if (++this.depth > JSON_DEPTH_MAX) return this.fail(p);
    let q = this.space(p + 1);
    if (this.bytes[q] === 0x5d && q < this.end) return this.leave(q);
    for (;;) {
      q = this.value(q, undefined);
      if (q === FAIL) return FAIL;
      q = this.space(q);
      if (q >= this.end) return this.fail(q);
      if (this.bytes[q] === 0x5d) return this.leave(q);
      if (this.bytes[q] !== 0x2c) return this.fail(q);
      q = this.space(q + 1);
    }
  }

  private leave(q: number): number {
    this.depth--;
    return q + 1;
  }

  /** From the opening quote to behind the closing one; sets `hasEscape`. */
  private string(p: number): number {
    const { bytes, end } = this;
    this.hasEscape = false;
    let q = p + 1;
    while (q < end) {
      const byte = bytes[q]!;
      if (byte === 0x22) return q + 1;
      if (byte === 0x5c) {
        this.hasEscape = true;
        const next = this.escape(q);
        if (next === FAIL) return FAIL;
        q = next;
      } else if (byte < 0x20) return this.fail(q);
      else if (byte < 0x80) q++;
      else {
        const next = this.multibyte(q);
        if (next === FAIL) return FAIL;
        q = next;
      }
    }
    return this.fail(end);
  }

  private escape(q: number): number {
    const kind = q + 1 < this.end ? this.bytes[q + 1]! : FAIL;
    if (kind === 0x75) {
      if (q + 6 > this.end) return this.fail(q);
      for (let i = q + 2; i < q + 6; i++) if (!isHex(this.bytes[i]!)) return this.fail(q);
      return q + 6;
    }
    const isKnown =
      kind === 0x22 ||
      kind === 0x5c ||
      kind === 0x2f ||
      kind === 0x62 ||
      kind === 0x66 ||
      kind === 0x6e ||
      kind === 0x72 ||
      kind === 0x74;
    return isKnown ? q + 2 : this.fail(q);
  }

  /** One UTF-8 sequence of two to four bytes: shortest form, no surrogates, at most U+10FFFF. */
  private multibyte(q: number): number {
    const { bytes } = this;
    const lead = bytes[q]!;
    const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length === 0 || q + length > this.end) return this.fail(q);
    for (let i = 1; i < length; i++) if ((bytes[q + i]! & 0xc0) !== 0x80) return this.fail(q);
    const second = bytes[q + 1]!;
    const isBad =
      (lead === 0xe0 && second < 0xa0) ||
      (lead === 0xed && second > 0x9f) ||
      (lead === 0xf0 && second < 0x90) ||
      (lead === 0xf4 && second > 0x8f);
    return isBad ? this.fail(q) : q + length;
  }

  private number(p: number, column: Column | undefined): number {
    const { bytes, end } = this;
    let q = p;
    if (q < end && bytes[q] === 0x2d) q++;
    const first = q;
    q = this.digits(q);
    if (q === first || (bytes[first] === 0x30 && q > first + 1)) return this.fail(first);
    let isFloat = false;
    if (q < end && bytes[q] === 0x2e) {
      isFloat = true;
      const from = q + 1;
      q = this.digits(from);
      if (q === from) return this.fail(q);
    }
    if (q < end && (bytes[q]! | 0x20) === 0x65) {
      isFloat = true;
      q++;
      if (q < end && (bytes[q] === 0x2b || bytes[q] === 0x2d)) q++;
      const from = q;
      q = this.digits(from);
      if (q === from) return this.fail(q);
    }
    if (column) this.putNumber(column, p, q, isFloat);
    return q;
  }

  private digits(p: number): number {
    let q = p;
    while (q < this.end && this.bytes[q]! >= 0x30 && this.bytes[q]! <= 0x39) q++;
    return q;
  }

  private literal(p: number, text: string, column: Column | undefined, tag: number): number {
    for (let i = 0; i < text.length; i++) {
      if (p + i >= this.end || this.bytes[p + i] !== text.charCodeAt(i)) return this.fail(p + i);
    }
    if (column) this.put(column, tag, p, text.length);
    return p + text.length;
  }

  private put(column: Column, tag: number, offset: number, length: number): void {
    column.tags[this.row] = tag;
    column.spans[2 * this.row] = offset;
    column.spans[2 * this.row + 1] = length;
  }

  private putNumber(column: Column, from: number, to: number, isFloat: boolean): void {
    const text = latin1(this.bytes, from, to);
    if (isFloat || text === '-0') {
      this.put(column, TAG.float, from, to - from);
      column.floats[this.row] = Number(text);
      return;
    }
    const isShort = text.length <= 18;
    const exact = isShort ? undefined : BigInt(text);
    if (exact !== undefined && BigInt.asIntN(64, exact) !== exact) {
      this.put(column, TAG.text, from, to - from);
      return;
    }
    this.put(column, TAG.int, from, to - from);
    column.ints[this.row] = exact ?? BigInt(text);
  }

  private childOf(node: Node, from: number, to: number): Node | undefined {
    if (node.children.length === 0) return undefined;
    if (this.hasEscape) {
      const text = parseJsonText(`"${utf8(this.bytes, from, to)}"`);
      return node.children.find(child => child.text === text);
    }
    return node.children.find(child => child.key.length === to - from && this.isKey(child.key, from));
  }

  private isKey(key: Uint8Array, from: number): boolean {
    for (let i = 0; i < key.length; i++) if (this.bytes[from + i] !== key[i]) return false;
    return true;
  }

  private space(p: number): number {
    let q = p;
    while (q < this.end) {
      const byte = this.bytes[q]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
      q++;
    }
    return q;
  }

  private fail(p: number): number {
    this.at = p;
    return FAIL;
  }
}

function isHex(byte: number): boolean {
  const letter = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x66);
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset + from, to - from).toString('latin1');
}

function utf8(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset + from, to - from).toString('utf8');
}
