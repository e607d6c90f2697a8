/**
 * Queries: paths compiled into the tables that the kernel reads (layouts in `assembly/layout.ts`).
 *
 *   query   root entry 48 · dead node u32 · longest key u32 · first step u32 · pad · constants 17 × 16 · call 64 · room of its shapes
 *   entry   first eight bytes u64 · length u32 · key u32 · last eight u64 · column i32 · next u32 · node u32
 *           · below u32 · below count u32 · seen u32
 *   node    lengths u64 · 64 buckets u32
 *
 * Invariants
 * I1 everything is 16-byte aligned; the addresses written are the memory's.
 * I2 a key is followed by at least 16 zero bytes, so that eight-byte loads at it stay inside.
 */
import { type Path, pathKey } from '../column.ts';
import { Shapes } from './shapes.ts';

const HASH = 0x9e3779b97f4a7c15n;
const MASK_64 = (1n << 64n) - 1n;
/** What the kernel has room for when it unescapes a key of a document, less the longest escape. */
const KEY_BYTES_MAX = 1000;

const ENTRY_BYTES = 48;
const NODE_BYTES = 272;
/** A part of the tables' room for the shapes of each query: so a dozen queries have room beside each other. */
const PARTS = 16;
const SHAPES_AT = 56;
const CONSTANTS_AT = 64;
const CALL_AT = CONSTANTS_AT + 17 * 16;
const CALL_BYTES = 64;
const QUERY_BYTES = CALL_AT + CALL_BYTES;

/** Vectors of `assembly/strings.ts`, in its order; a short one repeats. */
const CONSTANTS: readonly (readonly number[])[] = [
  [0x22],
  [0x20],
  [0x5c],
  [0x50],
  [0x89],
  // The three tables of UTF-8: bits of what is wrong by the high and low half of one byte and the high half of the next.
  [2, 2, 2, 2, 2, 2, 2, 2, 0x80, 0x80, 0x80, 0x80, 0x21, 1, 0x15, 0x49],
  [0xe7, 0xa3, 0x83, 0x83, 0x8b, 0xcb, 0xcb, 0xcb, 0xcb, 0xcb, 0xcb, 0xcb, 0xcb, 0xdb, 0xcb, 0xcb],
  [1, 1, 1, 1, 1, 1, 1, 1, 0xe6, 0xae, 0xba, 0xba, 1, 1, 1, 1],
  [0x0f],
  [0x60],
  [0x70],
  [0x80],
  // Leads that want more bytes than are left in the block.
  [255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0xef, 0xdf, 0xbf],
  // Masks of every length up to 32, by where they are read.
  [255],
  [255],
  [0],
  [0],
];

/** What may stand behind one key: paths go on, or end in a column. */
export interface Key {
  readonly children: Map<string, Key>;
  /** First slot; -1 without a column. */
  column: number;
}

export interface Query {
  readonly address: number;
  /** Where the fields of the call begin, in 32-bit units of the memory. */
  readonly call: number;
  readonly paths: readonly Path[];
  readonly shapes: Shapes;
  /** Rows that one call can take. */
  readonly rows: number;
}

/** Compiles queries into one part of the memory and keeps them until it is full; then it starts anew. */
export class QueryTables {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly start: number;
  private readonly end: number;
  private readonly shapeBytes: number;
  private at: number;
  private readonly compiled = new Map<string, Query>();

  constructor(memory: ArrayBufferLike, start: number, length: number) {
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
    this.start = start;
    this.end = start + length;
    this.at = start;
    this.shapeBytes = (length / PARTS) & ~15;
  }

  /** Undefined when the paths are too many or too long for the tables. `paths` are distinct. */
  compile(paths: readonly Path[], rows: number): Query | undefined {
    const name = paths.map(pathKey).join();
    const known = this.compiled.get(name);
    if (known) return known;
    const root = trieOf(paths, rows);
    const size = sizeOf(root, this.shapeBytes);
    if (size === undefined || size > this.end - this.start) return undefined;
    if (size > this.end - this.at) {
      this.compiled.clear();
      this.at = this.start;
    }
    const query = this.write(root, paths, rows);
    this.compiled.set(name, query);
    return query;
  }

  private write(root: Key, paths: readonly Path[], rows: number): Query {
    const address = this.allocate(QUERY_BYTES);
    const dead = this.allocate(NODE_BYTES);
    this.writeEntry(address, '', root, dead);
    this.view.setUint32(address + 48, dead, true);
    this.view.setUint32(address + 52, longestKey(root), true);
    CONSTANTS.forEach((vector, i) => {
      for (let k = 0; k < 16; k++) this.bytes[address + CONSTANTS_AT + 16 * i + k] = vector[k % vector.length]!;
    });
    const start = this.allocate(this.shapeBytes);
    const shapes = new Shapes(this.bytes.buffer, {
      start,
      end: start + this.shapeBytes,
      root: address + SHAPES_AT,
      keys: root,
    });
    return { address, call: (address + CALL_AT) >>> 2, paths, shapes, rows };
  }

  private allocate(size: number): number {
    const address = (this.at + 15) & ~15;
    this.at = address + size;
    this.bytes.fill(0, address, this.at);
    return address;
  }

  private writeEntry(at: number, text: string, key: Key, dead: number): void {
    const { view } = this;
    const bytes = Buffer.from(text);
    const copy = this.allocate(bytes.length + 16);
    this.bytes.set(bytes, copy);
    view.setBigUint64(at, littleEndian(bytes.subarray(0, 8)), true);
    view.setUint32(at + 8, bytes.length, true);
    view.setUint32(at + 12, copy, true);
    view.setBigUint64(at + 16, bytes.length > 8 ? littleEndian(bytes.subarray(-8)) : 0n, true);
    view.setInt32(at + 24, key.column, true);
    view.setUint32(at + 32, key.children.size > 0 ? this.writeNode(key, dead) : dead, true);
    const below = columnsBelow(key);
    const list = this.allocate(4 * below.length);
    below.forEach((column, i) => view.setUint32(list + 4 * i, column, true));
    view.setUint32(at + 36, list, true);
    view.setUint32(at + 40, below.length, true);
  }

  private writeNode(key: Key, dead: number): number {
    const { view } = this;
    const node = this.allocate(NODE_BYTES);
    let lengths = 0n;
    for (const [text, child] of key.children) {
      const entry = this.allocate(ENTRY_BYTES);
      this.writeEntry(entry, text, child, dead);
      const length = view.getUint32(entry + 8, true);
      lengths |= 1n << BigInt(length & 63);
      const hash = ((view.getBigUint64(entry, true) ^ BigInt(length)) * HASH) & MASK_64;
      const bucket = node + 8 + 4 * Number(hash >> 58n);
      view.setUint32(entry + 28, view.getUint32(bucket, true), true);
      view.setUint32(bucket, entry, true);
    }
    view.setBigUint64(node, lengths, true);
    return node;
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function trieOf(paths: readonly Path[], rows: number): Key {
  const root: Key = { children: new Map(), column: -1 };
  paths.forEach((path, i) => {
    let key = root;
    for (const text of path) {
      let child = key.children.get(text);
      if (!child) key.children.set(text, (child = { children: new Map(), column: -1 }));
      key = child;
    }
    key.column = i * rows;
  });
  return root;
}

function columnsBelow(key: Key): number[] {
  return [...key.children.values()].flatMap(child =>
    child.column < 0 ? columnsBelow(child) : [child.column, ...columnsBelow(child)],
  );
}

function longestKey(key: Key): number {
  return [...key.children].reduce(
    (longest, [text, child]) => Math.max(longest, Buffer.byteLength(text), longestKey(child)),
    0,
  );
}

/** An upper bound of what `write` allocates; undefined with a key that the kernel cannot compare. */
function sizeOf(root: Key, shapeBytes: number): number | undefined {
  let size = QUERY_BYTES + NODE_BYTES + shapeBytes;
  let isShort = true;
  const visit = (text: string, key: Key): void => {
    const length = Buffer.byteLength(text);
    if (length > KEY_BYTES_MAX) isShort = false;
    // Five allocations an entry, each up to 15 bytes beyond its size for alignment.
    size += ENTRY_BYTES + length + 16 + NODE_BYTES + 4 * columnsBelow(key).length + 5 * 15;
    for (const [name, child] of key.children) visit(name, child);
  };
  visit('', root);
  return isShort ? size + 64 : undefined;
}
