/**
 * The shapes that a query's documents have had (`assembly/shapes.ts`), learned from documents that the walk accepted.
 *
 *   room    steps of 64 bytes and lists of marks, one behind the other
 *
 * A step stands for the same bytes behind the same beginning, so what they open, close and mean is the same for all
 * shapes that share it. Steps that can follow each other's value form a list; those without a value stand last in it, as
 * nothing comes back from them.
 *
 * Learning costs as much as scanning some hundred documents. It is paid for by what has been scanned: a shape each
 * `KNOWN_PER_SHAPE` documents that had a known one, and each `SCANNED_PER_SHAPE` others.
 *
 * Invariants
 * S1 only a document that the walk accepted is learned, and none in which an asked key appears again: what that means is
 *    the walk's to say.
 * S2 a shape that finds no room, or too many others where it parts from them, has all forgotten, unless they still serve
 *    half of the documents.
 */
import type { Key } from './query.ts';

const STEP_BYTES = 64;
const TEXT_BYTES = 32;
/** Written one behind the other for each step: the longest way through a list. */
const OTHERS_MAX = 16;
const STEPS_MAX = 1_000;
const DOCUMENT_BYTES_MAX = 64 * 1024;
const DEPTH_MAX = 64;

const CREDIT_MAX = 32;
const KNOWN_PER_SHAPE = 256;
const SCANNED_PER_SHAPE = 65_536;

const KIND = { none: 0, string: 1, scalar: 2, end: 3 } as const;
const OPENS = { record: 9, list: 10 } as const;
const CLOSES = 0;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACKET = 0x5b;

interface Mark {
  readonly column: number;
  readonly offset: number;
  readonly tag: number;
}

interface Step {
  readonly text: readonly number[];
  readonly kind: number;
  readonly column: number;
  readonly marks: readonly Mark[];
}

export interface ShapeOptions {
  /** The room, 16-byte aligned. */
  readonly start: number;
  readonly end: number;
  /** Where the address of the first step is written. */
  readonly root: number;
  readonly keys: Key;
}

export class Shapes {
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly start: number;
  private readonly end: number;
  private readonly root: number;
  private readonly keys: Key;
  private at: number;
  private credit = CREDIT_MAX;
  private earned = 0;
  /** Since a shape last found no room. */
  private scanned = 0;
  private known = 0;

  constructor(memory: ArrayBufferLike, options: ShapeOptions) {
    this.view = new DataView(memory);
    this.bytes = new Uint8Array(memory);
    this.start = options.start;
    this.end = options.end;
    this.at = options.start;
    this.root = options.root;
    this.keys = options.keys;
  }

  get learns(): boolean {
    return this.credit > 0;
  }

  /** Of the documents scanned, so many had a known shape. */
  earn(scanned: number, known: number): void {
    this.scanned += scanned;
    this.known += known;
    this.earned += known / KNOWN_PER_SHAPE + scanned / SCANNED_PER_SHAPE;
    if (this.earned < 1) return;
    this.credit = Math.min(CREDIT_MAX, this.credit + Math.floor(this.earned));
    this.earned %= 1;
  }

  /** Learns the shape of the well-formed document at [start, end) of `bytes`. */
  learn(bytes: Uint8Array, start: number, end: number): void {
    this.credit--;
    const steps = stepsOf(bytes, start, end, this.keys);
    if (!steps) return;
    if (this.add(steps)) return;
    const serves = 2 * this.known >= this.scanned;
    this.known = 0;
    this.scanned = 0;
    if (serves) return;
    this.view.setUint32(this.root, 0, true);
    this.at = this.start;
    this.add(steps);
  }

  /** False when there is no room for all of it. */
  private add(steps: readonly Step[]): boolean {
    const size = steps.reduce((sum, { marks }) => sum + STEP_BYTES + bytesOfMarks(marks), 0);
    if (this.at + size > this.end) return false;
    let link = this.root;
    for (const step of steps) {
      let known = this.find(link, step);
      if (known === 0) {
        known = this.write(step);
        if (!this.insert(link, known, step.kind)) return false;
      }
      link = known + 44;
    }
    return true;
  }

  /** The address of the same step in the list at `link`, or 0. */
  private find(link: number, step: Step): number {
    const { bytes, view } = this;
    for (let at = view.getUint32(link, true); at !== 0; at = view.getUint32(at + 48, true)) {
      const isSame =
        view.getUint32(at + 32, true) === step.text.length &&
        view.getUint32(at + 36, true) === step.kind &&
        step.text.every((byte, i) => bytes[at + i] === byte);
      if (isSame) return at;
    }
    return 0;
  }

  /** False when the list is long enough. */
  private insert(link: number, address: number, kind: number): boolean {
    const { view } = this;
    let place = link;
    for (let count = 0; ; count++) {
      const next = view.getUint32(place, true);
      if (next === 0 || (kind !== KIND.none && view.getUint32(next + 36, true) === KIND.none)) break;
      if (count === OTHERS_MAX) return false;
      place = next + 48;
    }
    view.setUint32(address + 48, view.getUint32(place, true), true);
    view.setUint32(place, address, true);
    return true;
  }

  private write({ column, kind, marks, text }: Step): number {
    const { bytes, view } = this;
    const at = this.at;
    this.at += STEP_BYTES + bytesOfMarks(marks);
    bytes.fill(0, at, this.at);
    bytes.set(text, at);
    view.setUint32(at + 32, text.length, true);
    view.setUint32(at + 36, kind, true);
    view.setInt32(at + 40, column, true);
    if (marks.length === 0) return at;
    const list = at + STEP_BYTES;
    view.setUint32(at + 52, list, true);
    view.setUint32(list, marks.length, true);
    marks.forEach((mark, i) => {
      view.setUint32(list + 4 + 12 * i, mark.column, true);
      view.setUint32(list + 8 + 12 * i, mark.offset, true);
      view.setUint32(list + 12 + 12 * i, mark.tag, true);
    });
    return at;
  }
}

function bytesOfMarks(marks: readonly Mark[]): number {
  return marks.length === 0 ? 0 : (4 + 12 * marks.length + 15) & ~15;
}

/** Cuts a document into steps; undefined when it has no shape or too long a one. */
function stepsOf(bytes: Uint8Array, start: number, end: number, keys: Key): readonly Step[] | undefined {
  if (end - start > DOCUMENT_BYTES_MAX) return undefined;
  const cutter = new Cutter(bytes, start, end);
  return cutter.cut(keys) ? cutter.steps : undefined;
}

class Cutter {
  readonly steps: Step[] = [];
  private readonly bytes: Uint8Array;
  private readonly end: number;
  private at: number;
  private text: number[] = [];
  private marks: Mark[] = [];

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  cut(keys: Key): boolean {
    this.blanks();
    const first = this.bytes[this.at]!;
    if ((first !== BRACE && first !== BRACKET) || !this.value(keys, 0)) return false;
    this.flush(KIND.end, -1);
    return this.steps.length <= STEPS_MAX;
  }

  private value(key: Key | undefined, depth: number): boolean {
    if (this.steps.length > STEPS_MAX || depth > DEPTH_MAX) return false;
    const first = this.bytes[this.at]!;
    if (first === BRACE || first === BRACKET) return this.container(key, depth);
    const column = key?.column ?? -1;
    if (first === QUOTE) {
      this.take();
      this.flush(KIND.string, column);
      this.at = this.closingQuote(this.at);
      this.take();
      return true;
    }
    this.flush(KIND.scalar, column);
    while (this.at < this.end && !isBehindScalar(this.bytes[this.at]!)) this.at++;
    return true;
  }

  private container(key: Key | undefined, depth: number): boolean {
    const isRecord = this.bytes[this.at] === BRACE;
    const column = key?.column ?? -1;
    const seen = new Set<Key>();
    if (column >= 0) this.mark(column, isRecord ? OPENS.record : OPENS.list);
    this.take();
    this.blanks();
    const close = isRecord ? BRACE + 2 : BRACKET + 2;
    while (this.bytes[this.at] !== close) {
      let inner: Key | undefined;
      if (isRecord) {
        const from = this.at;
        const behind = this.closingQuote(from + 1) + 1;
        inner = key && key.children.size > 0 ? key.children.get(textOf(this.bytes, from, behind)) : undefined;
        if (inner && seen.has(inner)) return false;
        if (inner) seen.add(inner);
        this.take(behind - from);
        this.blanks();
        this.take();
        this.blanks();
      }
      if (!this.value(inner, depth + 1)) return false;
      this.blanks();
      if (this.bytes[this.at] === close) break;
      this.take();
      this.blanks();
    }
    if (column >= 0) this.mark(column, CLOSES);
    this.take();
    return true;
  }

  private closingQuote(from: number): number {
    let at = from;
    while (this.bytes[at] !== QUOTE) at += this.bytes[at] === BACKSLASH ? 2 : 1;
    return at;
  }

  private blanks(): void {
    while (this.at < this.end && this.bytes[this.at]! <= 0x20) this.take();
  }

  private take(count = 1): void {
    for (let i = 0; i < count; i++) {
      if (this.text.length === TEXT_BYTES) this.flush(KIND.none, -1);
      this.text.push(this.bytes[this.at++]!);
    }
  }

  /** At the byte that is taken next. */
  private mark(column: number, tag: number): void {
    if (this.text.length === TEXT_BYTES) this.flush(KIND.none, -1);
    this.marks.push({ column, offset: this.text.length, tag });
  }

  private flush(kind: number, column: number): void {
    this.steps.push({ text: this.text, kind, column, marks: this.marks });
    this.text = [];
    this.marks = [];
  }
}

function isBehindScalar(byte: number): boolean {
  return byte <= 0x20 || byte === 0x2c || byte === BRACE + 2 || byte === BRACKET + 2;
}

/** The text of the string at [start, end), quotes included; a lone surrogate is U+FFFD, as everywhere else. */
function textOf(bytes: Uint8Array, start: number, end: number): string {
  const quoted = Buffer.from(bytes.subarray(start, end)).toString();
  return (JSON.parse(quoted) as string).toWellFormed();
}
