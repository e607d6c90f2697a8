/**
 * The way to columns: documents of a store are checked and scanned by the kernel of this thread.
 *
 * A store whose bytes lie in a registered arena is scanned where it lies, with the reserved part of the thread's range as
 * scratch. All other bytes pass through a scanner with a small memory of its own, made at the thread's first need.
 */
import { type Arena, assert, makeArenaMemory } from '../base/index.ts';
import type { ByteStore } from './byte-store.ts';
import type { Column, Columns, Path } from './column.ts';
import type { CompareOptions, Comparison, Constant, Verdicts } from './comparison.ts';
import type { ScanResult } from './reference-scanner.ts';
import { JsonScanner } from './scanner.ts';

const PRIVATE_BYTES = 16 * 1024 * 1024;

/** Scanners of this thread by the memory that they read in place. Scratch only: nothing of a scan outlives its call. */
const scanners = new WeakMap<ArrayBufferLike, JsonScanner>();
let privateScanner: JsonScanner | undefined;

/** Lets stores over the arena be scanned in place; for the arena whose range is this thread's own. */
export function registerArena(arena: Arena): JsonScanner {
  const { memory, reserved } = arena;
  const known = scanners.get(memory.buffer);
  if (known) return known;
  const scanner = new JsonScanner(memory, reserved.offset, reserved.length);
  scanners.set(memory.buffer, scanner);
  return scanner;
}

export function scannerFor(store: ByteStore): JsonScanner {
  const registered = scanners.get(store.bytes.buffer);
  if (registered) return registered;
  privateScanner ??= new JsonScanner(makeArenaMemory(PRIVATE_BYTES), 0, PRIVATE_BYTES);
  return privateScanner;
}

/** Checks every span of the store as one document, extracting columns on the way; tells which rows fail. */
export function scanDocuments(store: ByteStore, paths: readonly Path[]): ScanResult {
  return scannerFor(store).scan(store, paths);
}

/** A verdict for each row that is asked for; undefined where columns cannot tell. */
export function compareColumn(
  store: ByteStore,
  column: Column,
  operation: Comparison,
  constant: Constant,
  options: CompareOptions,
): Verdicts | undefined {
  return scannerFor(store).compare(store, column, operation, constant, options);
}

/** Columns for valid documents; those already there stay. */
export function scanColumns(store: ByteStore, paths: readonly Path[], known?: Columns): Columns {
  const missing = paths.filter(path => !known?.has(path));
  const { columns, defects } = scanDocuments(store, missing);
  assert(defects.length === 0, 'columns are asked of valid documents only');
  for (const path of known?.paths() ?? []) columns.set(path, known!.get(path)!);
  return columns;
}
