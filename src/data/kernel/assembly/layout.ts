/**
 * What the kernel and its caller (`kernel/query.ts`, `scanner.ts`) agree on: layouts in memory, little-endian.
 *
 *   Query      root entry, then the constants of `strings.ts`, then the call
 *   Entry      one key of a record that leads on to asked paths
 *   Node       hash table of the entries that are possible in one record
 *   Call       where this call's columns are; written by the caller before each call
 *
 *   column     a slot is column × rows + row; of each slot: tag u8, span (offset, length) 2×u32, value i64 or f64
 */

/** The same numbers as `TAG` in `column.ts`. */
export namespace Tag {
  export const MISSING: u32 = 0;
  export const STRING: u32 = 1;
  export const ESCAPED: u32 = 2;
  export const INT: u32 = 3;
  export const FLOAT: u32 = 4;
  export const TEXT: u32 = 5;
  export const TRUE: u32 = 6;
  export const FALSE: u32 = 7;
  export const NULL: u32 = 8;
  export const RECORD: u32 = 9;
  export const LIST: u32 = 10;
  /** A float that the caller converts; never seen outside. */
  export const PENDING: u32 = 11;
  export const REPEATED: u32 = 12;
}

/** 48 bytes. */
export namespace Entry {
  /** u64: the key's first eight bytes, zeros behind a shorter one. */
  export const FIRST: usize = 0;
  /** u32 */
  export const LENGTH: usize = 8;
  /** u32: address of the key's bytes. */
  export const KEY: usize = 12;
  /** u64: the last eight bytes of a key longer than eight. */
  export const LAST: usize = 16;
  /** i32: first slot of the column; -1 without one. */
  export const COLUMN: usize = 24;
  /** u32: next entry of the same bucket, or 0. */
  export const NEXT: usize = 28;
  /** u32: node of the record behind the key; the dead node without one. */
  export const NODE: usize = 32;
  /** u32 each: the first slots of all columns below, which a repeated key marks. */
  export const BELOW: usize = 36;
  export const BELOW_COUNT: usize = 40;
  /** u32: stamp of the last document in which the key was seen. */
  export const SEEN: usize = 44;
}

/** 272 bytes. */
export namespace Node {
  /** u64: bit n: there is a key of length n modulo 64. */
  export const LENGTHS: usize = 0;
  /** 64 × u32: first entry of each bucket, or 0. */
  export const BUCKETS: usize = 8;
}

export namespace StepKind {
  /** The text goes on with the next step. */
  export const NONE: u32 = 0;
  /** The text ends with a string's opening quote; its closing quote begins the next step. */
  export const STRING: u32 = 1;
  /** A number, `true`, `false` or `null`. */
  export const SCALAR: u32 = 2;
  /** The document ends. */
  export const END: u32 = 3;
}

/** 64 bytes: a line of the cache. */
export namespace Step {
  /** 32 bytes; what stands behind a shorter text does not matter. */
  export const TEXT: usize = 0;
  /** u32 */
  export const LENGTH: usize = 32;
  /** u32: a `StepKind`. */
  export const KIND: usize = 36;
  /** i32: first slot of the value's column; -1 without one. */
  export const COLUMN: usize = 40;
  /** u32: what follows the value, or 0. */
  export const NEXT: usize = 44;
  /** u32: another step that is possible here, or 0. */
  export const OTHER: usize = 48;
  /** u32: a count and for each (first slot, offset in the text, tag of what opens there or 0 where it closes); or 0. */
  export const MARKS: usize = 52;
}

export namespace Query {
  /** u32: a node without entries. */
  export const DEAD: usize = 48;
  /** u32: length of the longest key. */
  export const LONGEST: usize = 52;
  /** u32: the first step of all known shapes, or 0. */
  export const SHAPES: usize = 56;
  export const CONSTANTS: usize = 64;
  export const CALL: usize = 64 + 272;
}

export namespace Call {
  export const TAGS: usize = 0;
  export const SPANS: usize = 4;
  export const VALUES: usize = 8;
  /** Added to an address gives the offset that a span says; the caller's bytes may be a copy or a view. */
  export const SHIFT: usize = 12;
  export const COLUMNS: usize = 16;
  /** Slots of a column. */
  export const ROWS: usize = 20;
  /** Written by the kernel: how many floats are pending. */
  export const PENDING: usize = 24;
  /** Written by the kernel: stamp of the newest document, another one for each. */
  export const STAMP: usize = 28;
  /** 1: the scan stops behind a well-formed document whose shape is not known. */
  export const LEARNS: usize = 32;
  /** Written by the kernel: how many documents were well-formed, and how many of these had a known shape. */
  export const VALID: usize = 36;
  export const KNOWN: usize = 40;
  /** Written by the kernel: documents to be walked before one is compared with the shapes again, and how many that was. */
  export const WAIT: usize = 44;
  export const PATIENCE: usize = 48;
  /** Written by the kernel: 1 when the last document scanned is the one to learn from. */
  export const UNKNOWN: usize = 52;

  // @ts-ignore: decorator
  @inline
  export function putTag(call: usize, slot: usize, tag: u32): void {
    store<u8>(<usize>load<u32>(call, TAGS) + slot, tag);
  }

  // @ts-ignore: decorator
  @inline
  export function putSpan(call: usize, slot: usize, start: usize, length: usize): void {
    const at = spanAt(call, slot);
    store<u32>(at, start + <usize>load<u32>(call, SHIFT));
    store<u32>(at, length, 4);
  }

  // @ts-ignore: decorator
  @inline
  export function spanAt(call: usize, slot: usize): usize {
    return <usize>load<u32>(call, SPANS) + (slot << 3);
  }

  /** Address of the span, for a value whose end is not known yet. */
  // @ts-ignore: decorator
  @inline
  export function openSpan(call: usize, slot: usize, start: usize): usize {
    const at = spanAt(call, slot);
    store<u32>(at, start + <usize>load<u32>(call, SHIFT));
    return at;
  }

  // @ts-ignore: decorator
  @inline
  export function closeSpan(call: usize, at: usize, end: usize): void {
    store<u32>(at, end + <usize>load<u32>(call, SHIFT) - <usize>load<u32>(at), 4);
  }

  // @ts-ignore: decorator
  @inline
  export function putInt(call: usize, slot: usize, value: i64): void {
    putTag(call, slot, Tag.INT);
    store<i64>(<usize>load<u32>(call, VALUES) + (slot << 3), value);
  }

  // @ts-ignore: decorator
  @inline
  export function putFloat(call: usize, slot: usize, value: f64): void {
    putTag(call, slot, Tag.FLOAT);
    store<f64>(<usize>load<u32>(call, VALUES) + (slot << 3), value);
  }

  // @ts-ignore: decorator
  @inline
  export function putPending(call: usize, slot: usize): void {
    putTag(call, slot, Tag.PENDING);
    store<u32>(call, load<u32>(call, PENDING) + 1, PENDING);
  }
}
