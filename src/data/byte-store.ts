/**
 * The bytes of a batch's rows: spans over the arena or over private memory, with what holds them and where each row came from.
 *
 * Invariants
 * I1 a store's owners are released when its last holder releases it; a store begins with one holder, its maker.
 * I2 ids of rows are numbers of this thread: they find a row again on other edges, they do not outlive the run.
 */
import { assert } from '../base/index.ts';
import type { Value } from './value.ts';

const NOTHING = new Uint8Array(0);

/** What a row's bytes belong to: a slab of the arena, or anything else that is counted. */
export interface Owner {
  hold(): void;
  release(): void;
}

/** Where rows of a store came from: records of one partition. */
export interface Origins {
  /** For people and for dead letters: `topic/partition/offset`. */
  describe(row: number): string;
  key(row: number): Uint8Array | null;
  headers(row: number): readonly (readonly [string, Uint8Array | null])[];
  /** The record's value as it came, before any reader cut it into events. */
  value(row: number): Uint8Array | null;
  /** `@topic`, `@offset` and what else the source knows; undefined for a name that it does not know. */
  meta?(row: number, name: string): Value | undefined;
}

let nextRowId = 0;

export class ByteStore {
  readonly bytes: Uint8Array;
  /** Offset and length of each row, in `bytes`. */
  readonly spans: Uint32Array;
  readonly count: number;
  readonly origins: Origins | undefined;
  /** Row of `origins` for each row here; the same number where absent. */
  readonly originRows: Uint32Array | undefined;
  /** Of each row: how many bytes at its end only part it from the next one. */
  readonly endBytes: number;
  /** When the rows came into the pipeline, by the monotonic clock; set by the edge that they entered on. */
  bornMs: number | undefined;
  private readonly owners: readonly Owner[];
  /** Ids of the rows: given, or counted on from the first. */
  private readonly ids: Float64Array | undefined;
  private readonly firstId: number;
  private holders = 1;

  constructor(parts: {
    bytes: Uint8Array;
    spans: Uint32Array;
    count: number;
    owners?: readonly Owner[];
    origins?: Origins | undefined;
    originRows?: Uint32Array | undefined;
    ids?: Float64Array | undefined;
    endBytes?: number;
  }) {
    this.bytes = parts.bytes;
    this.spans = parts.spans;
    this.count = parts.count;
    this.owners = parts.owners ?? [];
    this.origins = parts.origins;
    this.originRows = parts.originRows;
    this.ids = parts.ids;
    this.endBytes = parts.endBytes ?? 0;
    this.firstId = nextRowId;
    if (!parts.ids) nextRowId += parts.count;
  }

  hold(): void {
    this.holders++;
  }

  release(): void {
    assert(--this.holders >= 0, 'I1: a store was released more often than held');
    if (this.holders > 0) return;
    for (const owner of this.owners) owner.release();
  }

  /** Another store over the same bytes, which it keeps alive. Its rows are new ones unless `ids` says which they are. */
  derive(spans: Uint32Array, count: number, originRows: Uint32Array | undefined, ids?: Float64Array): ByteStore {
    this.hold();
    const { bytes, origins } = this;
    const derived = new ByteStore({ bytes, spans, count, owners: [this], origins, originRows, ids });
    derived.bornMs = this.bornMs;
    return derived;
  }

  bytesOf(row: number): Uint8Array {
    const offset = this.spans[2 * row]!;
    return this.bytes.subarray(offset, offset + this.spans[2 * row + 1]!);
  }

  originRow(row: number): number {
    return this.originRows ? this.originRows[row]! : row;
  }

  idOf(row: number): number {
    return this.ids ? this.ids[row]! : this.firstId + row;
  }
}

/** Private bytes as a store: pieces are copied into one buffer, with `end` behind each. */
export function storeOf(pieces: readonly Uint8Array[], end: Uint8Array = NOTHING): ByteStore {
  const total = pieces.reduce((sum, piece) => sum + piece.length + end.length, 0);
  const bytes = new Uint8Array(total);
  const spans = new Uint32Array(pieces.length * 2);
  let offset = 0;
  pieces.forEach((piece, row) => {
    bytes.set(piece, offset);
    bytes.set(end, offset + piece.length);
    spans[2 * row] = offset;
    spans[2 * row + 1] = piece.length + end.length;
    offset += piece.length + end.length;
  });
  return new ByteStore({ bytes, spans, count: pieces.length });
}
