/**
 * The scanner over the SIMD kernel: one a thread, with a region of a shared memory as its own.
 *
 *   region   queries, an eighth · stack and key room 9 KiB · spans, status of the rows of a call · columns of a call
 *            · staging, an eighth · quote index, half
 *
 * Documents in the same memory are scanned where they lie. Others are copied into staging first, neighbours together; a
 * document longer than an eighth of the region goes to the plain scanner, as do paths that the tables cannot hold.
 * Columns are copied out into arrays of their own: a column may outlive the call, the region's content never does.
 *
 * Invariants
 * I1 results are those of `ReferenceScanner` for every store and all paths (fuzzed).
 * I2 the kernel reads up to 64 bytes beyond a document: a document that ends too near to the end of the memory is staged.
 * I3 nobody writes the documents of the store during the call.
 */
import { assert } from '../base/index.ts';
import type { ByteStore } from './byte-store.ts';
import { Column, Columns, distinctPaths, type Path, TAG } from './column.ts';
import {
  type CompareOptions,
  type Comparison,
  compareByReference,
  type Constant,
  planComparison,
  type Verdicts,
} from './comparison.ts';
import {
  INDEX_SLACK_BYTES,
  instantiateKernel,
  type Kernel,
  READ_BEYOND_BYTES,
  SCRATCH_HEAD_BYTES,
} from './kernel/kernel.ts';
import { type Query, QueryTables } from './kernel/query.ts';
import { type Defect, ReferenceScanner, RowScanner, type Scanner, type ScanResult } from './reference-scanner.ts';

const ROWS_MAX = 2_048;
/** Copied at a time, so that what was copied is still in the cache when it is scanned. */
const STAGE_BYTES = 256 * 1024;
/** Bytes between two documents that are copied along rather than beginning a new call. */
const GAP_BYTES = 256;
/** Tag, span and value of one row. */
const SLOT_BYTES = 1 + 8 + 8;
const PENDING = 11;

interface Job {
  readonly store: ByteStore;
  readonly query: Query;
  readonly columns: readonly Column[];
  readonly rows: RowScanner;
  readonly defects: Defect[];
}

export class JsonScanner implements Scanner {
  private readonly kernel: Kernel;
  private readonly buffer: SharedArrayBuffer;
  private readonly u8: Uint8Array;
  private readonly u32: Uint32Array;
  private readonly f64: Float64Array;
  private readonly tables: QueryTables;
  private readonly stack: number;
  private readonly spans: number;
  private readonly status: number;
  private readonly slots: number;
  private readonly slotsBytes: number;
  private readonly staging: number;
  private readonly stagingBytes: number;
  /** Copied at a time. */
  private readonly stageBytes: number;
  /** A longer document is the plain scanner's. */
  readonly documentBytesMax: number;
  private knownCount = 0;

  constructor(memory: WebAssembly.Memory, regionOffset: number, regionLength: number) {
    this.kernel = instantiateKernel(memory);
    this.buffer = memory.buffer;
    this.u8 = new Uint8Array(memory.buffer);
    this.u32 = new Uint32Array(memory.buffer);
    this.f64 = new Float64Array(memory.buffer);
    // Address 0 says "none" in the kernel's tables, so nothing of ours may lie there.
    const start = Math.max(64, (regionOffset + 63) & ~63);
    const end = regionOffset + regionLength;
    const queriesBytes = ((end - start) >> 3) & ~63;
    this.tables = new QueryTables(memory.buffer, start, queriesBytes);
    this.spans = start + queriesBytes;
    this.status = this.spans + 8 * ROWS_MAX;
    this.slots = this.status + ROWS_MAX;
    const half = ((end - start) >> 1) & ~63;
    // Behind the stack lies the quote index: half of the region, up to its end.
    this.stack = start + half - SCRATCH_HEAD_BYTES;
    this.stagingBytes = (half >> 2) & ~63;
    this.staging = this.stack - this.stagingBytes;
    this.slotsBytes = this.staging - this.slots;
    const indexed = ((end - this.stack - SCRATCH_HEAD_BYTES - INDEX_SLACK_BYTES) >> 2) - 64;
    this.documentBytesMax = Math.min(indexed, this.stagingBytes - READ_BEYOND_BYTES);
    this.stageBytes = Math.min(STAGE_BYTES, this.stagingBytes - READ_BEYOND_BYTES);
    assert(this.slotsBytes >= 64 * 1024, 'a scanner needs a region of at least 1 MiB');
  }

  /** Documents so far that had the shape of an earlier one. */
  get documentsOfKnownShape(): number {
    return this.knownCount;
  }

  scan(store: ByteStore, asked: readonly Path[]): ScanResult {
    const paths = distinctPaths(asked);
    const rows = Math.min(ROWS_MAX, Math.floor(this.slotsBytes / (SLOT_BYTES * Math.max(1, paths.length))) & ~7);
    const query = rows > 0 ? this.tables.compile(paths, rows) : undefined;
    if (!query) return new ReferenceScanner().scan(store, paths);
    const columns = new Columns();
    for (const path of paths) columns.set(path, new Column(store.count));
    const job: Job = {
      store,
      query,
      columns: paths.map(path => columns.get(path)!),
      rows: new RowScanner(store, columns),
      defects: [],
    };
    this.prepare(query);
    let row = 0;
    while (row < store.count) row = this.scanSome(job, row);
    return { columns, defects: job.defects };
  }

  /** Where the columns of a call lie: values first, as they need the alignment. */
  private prepare(query: Query): void {
    const slots = query.paths.length * query.rows;
    this.u32[query.call] = this.slots + 16 * slots;
    this.u32[query.call + 1] = this.slots + 8 * slots;
    this.u32[query.call + 2] = this.slots;
    this.u32[query.call + 4] = query.paths.length;
    this.u32[query.call + 5] = query.rows;
  }

  /** Scans as many rows from `first` on as one call takes; returns the row behind them. */
  private scanSome(job: Job, first: number): number {
    const { store, query } = job;
    const { spans, bytes } = store;
    const isInPlace = bytes.buffer === this.buffer;
    const readable = isInPlace ? this.u8.length - bytes.byteOffset - READ_BEYOND_BYTES : 0;
    const limit = Math.min(store.count, first + query.rows);
    const start = spans[2 * first]!;
    let end = start;
    let row = first;
    for (; row < limit; row++) {
      const offset = spans[2 * row]!;
      const length = spans[2 * row + 1]!;
      assert(offset + length <= bytes.length, 'a span lies in its store');
      if (length > this.documentBytesMax) break;
      if (isInPlace ? offset + length > readable : row > first && !this.isNeighbour(offset, length, start, end)) break;
      end = Math.max(end, offset + length);
    }
    if (row > first) {
      if (isInPlace) this.call(job, first, row, -bytes.byteOffset);
      else this.call(job, first, row, this.stage(bytes, start, end));
      return row;
    }
    const length = spans[2 * row + 1]!;
    if (length <= this.documentBytesMax) this.call(job, row, row + 1, this.stage(bytes, start, start + length));
    else this.note(job, row, job.rows.scan(row));
    return row + 1;
  }

  /** Worth copying together with [start, end)? */
  private isNeighbour(offset: number, length: number, start: number, end: number): boolean {
    return offset >= end && offset - end <= GAP_BYTES && offset + length - start <= this.stageBytes;
  }

  /** Copies bytes into staging; returns what turns an address into an offset of the store. */
  private stage(bytes: Uint8Array, start: number, end: number): number {
    this.u8.set(bytes.subarray(start, end), this.staging);
    return start - this.staging;
  }

  private call(job: Job, from: number, to: number, shift: number): void {
    const { query, store } = job;
    const { shapes } = query;
    this.u32[query.call + 3] = shift;
    let first = from;
    while (first < to) {
      this.u32.set(store.spans.subarray(2 * first, 2 * to), this.spans >>> 2);
      this.u32[query.call + 8] = shapes.learns ? 1 : 0;
      const count = this.kernel.scan(this.spans, to - first, query.address, this.status, this.stack);
      this.copyOut(job, first, count);
      if (this.u32[query.call + 9]! < count) this.noteRefused(job, first, count);
      const known = this.u32[query.call + 10]!;
      this.knownCount += known;
      shapes.earn(count, known);
      first += count;
      if (this.u32[query.call + 13] === 1) {
        const start = store.spans[2 * first - 2]!;
        shapes.learn(store.bytes, start, start + store.spans[2 * first - 1]!);
      }
    }
  }

  private noteRefused(job: Job, first: number, count: number): void {
    for (let i = 0; i < count; i++)
      if (this.u8[this.status + i] === 0) this.note(job, first + i, job.rows.scan(first + i));
  }

  private note(job: Job, row: number, position: number): void {
    if (position >= 0) job.defects.push({ row, position });
  }

  private copyOut(job: Job, from: number, count: number): void {
    const { query, columns } = job;
    const tags = this.u32[query.call]!;
    const spans = this.u32[query.call + 1]! >>> 2;
    const values = this.u32[query.call + 2]! >>> 3;
    columns.forEach((column, i) => {
      const slot = i * query.rows;
      column.tags.set(this.u8.subarray(tags + slot, tags + slot + count), from);
      column.spans.set(this.u32.subarray(spans + 2 * slot, spans + 2 * (slot + count)), 2 * from);
      column.floats.set(this.f64.subarray(values + slot, values + slot + count), from);
    });
    if (this.u32[query.call + 6] === 0) return;
    for (const column of columns) finishFloats(job.store, column, from, from + count);
  }

  /** The verdicts of `compareByReference`, by the kernel where it can; undefined for constants that have no column form. */
  compare(
    store: ByteStore,
    column: Column,
    operation: Comparison,
    constant: Constant,
    options: CompareOptions = {},
  ): Verdicts | undefined {
    const plan = planComparison(operation, constant, options.infers === true);
    const count = column.tags.length;
    if (!plan) return undefined;
    const isInPlace = store.bytes.buffer === this.buffer;
    const isKernels = plan.kind === 'number' || (plan.kind === 'text' && isInPlace && plan.text.length <= ROWS_MAX);
    if (!isKernels || options.rows) return compareByReference(store, column, operation, constant, options);
    const verdicts = new Uint8Array(count);
    const room = Math.min(ROWS_MAX, (this.slotsBytes / 24) & ~7);
    const values = this.slots;
    const tags = values + 8 * room;
    const out = tags + room;
    if (plan.kind === 'text') this.u8.set(plan.text, this.spans);
    for (let from = 0; from < count; from += room) {
      const rows = Math.min(room, count - from);
      this.u8.set(column.tags.subarray(from, from + rows), tags);
      if (plan.kind === 'number') {
        this.f64.set(column.floats.subarray(from, from + rows), values >>> 3);
        const { bits, isWhole, whole, float, other, none } = plan;
        this.kernel.compareInts(tags, values, rows, bits, isWhole ? 1 : 0, whole, float, other, none, out);
      } else {
        this.u32.set(column.spans.subarray(2 * from, 2 * (from + rows)), values >>> 2);
        const shift = -store.bytes.byteOffset;
        this.kernel.compareText(tags, values, rows, plan.bits, this.spans, plan.text.length, shift, out);
      }
      verdicts.set(this.u8.subarray(out, out + rows), from);
    }
    return verdicts;
  }
}

/** Floats that need more than one exact operation: their texts are converted here. */
function finishFloats(store: ByteStore, column: Column, from: number, to: number): void {
  for (let row = from; row < to; row++) {
    if (column.tags[row] !== PENDING) continue;
    column.tags[row] = TAG.float;
    const start = column.spans[2 * row]!;
    column.floats[row] = Number(latin1(store.bytes, start, start + column.spans[2 * row + 1]!));
  }
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset + from, to - from).toString('latin1');
}
