/**
 * Columns: the values at one path in the documents of a store, as typed arrays with an element a row.
 *
 *   tags    what the value is; `missing` where the document has no such path
 *   spans   offset and length in the store's bytes; strings without their quotes
 *   ints    its value, for `int`; exact
 *   floats  its value, for `float`; the same memory as `ints`
 */

/** The kernel's `layout.ts` has the same numbers. */
export const TAG = {
  missing: 0,
  string: 1,
  /** A string with escapes: its span is the text between the quotes as it stands. */
  escaped: 2,
  int: 3,
  float: 4,
  /** An integer beyond int64, as text. */
  text: 5,
  true: 6,
  false: 7,
  null: 8,
  record: 9,
  list: 10,
  /** The key, or one above it, appears more than once: the row's value tells what that means. 11 is the kernel's own. */
  repeated: 12,
} as const;

export type Path = readonly string[];

export class Column {
  readonly tags: Uint8Array;
  readonly spans: Uint32Array;
  readonly ints: BigInt64Array;
  readonly floats: Float64Array;

  constructor(count: number) {
    this.tags = new Uint8Array(count);
    this.spans = new Uint32Array(2 * count);
    this.ints = new BigInt64Array(count);
    this.floats = new Float64Array(this.ints.buffer);
  }
}

/** Columns of a store by path. */
export class Columns {
  private readonly byPath = new Map<string, { readonly path: Path; readonly column: Column }>();

  get(path: Path): Column | undefined {
    return this.byPath.get(pathKey(path))?.column;
  }

  has(path: Path): boolean {
    return this.byPath.has(pathKey(path));
  }

  set(path: Path, column: Column): void {
    this.byPath.set(pathKey(path), { path, column });
  }

  paths(): readonly Path[] {
    return [...this.byPath.values()].map(({ path }) => path);
  }
}

/** One text for each path, different for different paths. */
export function pathKey(path: Path): string {
  return JSON.stringify(path);
}

export function distinctPaths(paths: readonly Path[]): readonly Path[] {
  return [...new Map(paths.map(path => [pathKey(path), path])).values()];
}
