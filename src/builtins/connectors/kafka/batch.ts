/**
 * Fetched record batches as chunks: one row a record, its value in place. Key, headers, timestamp and offset are found again
 * when somebody asks for them (a dead letter, `@key`): the batch is read a second time then, once for all its records.
 *
 * Invariants
 * I1 a null value is a row without bytes whose origin's value is null: null is not empty.
 */
import {
  Blob,
  ByteStore,
  ChunkBatch,
  type Origins,
  type Owner,
  RecordValue,
  Time,
  type Value,
} from '../../../data/index.ts';
import type { RecordMetadata } from '../../../sdk/index.ts';
import { BatchHeader, RecordCursor } from '../../../wire/records/index.ts';

/** A record batch as it was read. */
export interface ReadBatch {
  readonly topic: string;
  /** Which topic of that name, where it is known. */
  readonly topicId?: string | undefined;
  readonly partition: number;
  readonly batch: Uint8Array;
  /** A marker of a transaction, or of one that was aborted: it moves the position and gives nothing. */
  readonly isHidden?: boolean;
  /** Records before this were not asked for. */
  readonly fromOffset: number;
  /** Holds the memory of `batch` once, for whoever takes it. */
  readonly owner: Owner | undefined;
}

interface Detail {
  readonly key: Uint8Array | null;
  readonly timestampMs: number;
  readonly headers: readonly (readonly [string, Uint8Array | null])[];
}

const NO_HEADERS: Detail['headers'] = [];

export class RecordOrigins implements Origins {
  private readonly read: ReadBatch;
  private readonly store: () => ByteStore;
  private readonly offsets: Float64Array;
  private readonly nulls: ReadonlySet<number>;
  private details: readonly Detail[] | undefined;

  constructor(read: ReadBatch, offsets: Float64Array, nulls: ReadonlySet<number>, store: () => ByteStore) {
    this.read = read;
    this.offsets = offsets;
    this.nulls = nulls;
    this.store = store;
  }

  describe(row: number): string {
    return `${this.read.topic}/${this.read.partition}/${this.offsets[row]}`;
  }

  key(row: number): Uint8Array | null {
    return this.detail(row).key;
  }

  headers(row: number): readonly (readonly [string, Uint8Array | null])[] {
    return this.detail(row).headers;
  }

  value(row: number): Uint8Array | null {
    return this.nulls.has(row) ? null : this.store().bytesOf(row);
  }

  meta(row: number, name: string): Value | undefined {
    switch (name as RecordMetadata) {
      case 'topic':
        return this.read.topic;
      case 'partition':
        return BigInt(this.read.partition);
      case 'offset':
        return BigInt(this.offsets[row]!);
      case 'timestamp': {
        const { timestampMs } = this.detail(row);
        return timestampMs < 0 ? null : new Time(BigInt(timestampMs) * 1_000_000n);
      }
      case 'key':
        return textOrBlob(this.detail(row).key);
      case 'headers':
        return new RecordValue(this.detail(row).headers.map(([key, value]) => [key, textOrBlob(value)]));
      default:
        return undefined;
    }
  }

  private detail(row: number): Detail {
    this.details ??= this.readDetails();
    return this.details[row]!;
  }

  private readDetails(): readonly Detail[] {
    const details: Detail[] = [];
    const cursor = new RecordCursor().open(this.read.batch);
    while (details.length < this.offsets.length && cursor.advance()) {
      if (cursor.offset !== this.offsets[details.length]) continue;
      const headers = cursor.headerCount > 0 ? cursor.headers() : NO_HEADERS;
      details.push({ key: cursor.key, timestampMs: cursor.timestamp, headers });
    }
    return details;
  }
}

/** Text where the bytes are UTF-8, else the bytes. */
export function textOrBlob(bytes: Uint8Array | null): Value {
  if (bytes === null) return null;
  const buffer = Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
  const text = buffer.toString('utf8');
  // Only what is no UTF-8 has become replacement characters, each of three bytes.
  return text.includes('\ufffd') && !Buffer.from(text).equals(buffer) ? new Blob(Uint8Array.from(bytes)) : text;
}

export interface Taken {
  readonly chunks: ChunkBatch;
  /** Offset of each row. */
  readonly offsets: Float64Array;
  /** Offset behind the last record taken. */
  readonly next: number;
  /** A record was met that belongs to the time that is not read any more. */
  readonly isOver: boolean;
}

export interface TakeLimits {
  /** Records, at most. */
  readonly max: number;
  /** Records from this time on are not taken, nor what stands behind the first of them. */
  readonly endMs: number | undefined;
}

/**
 * Records of a batch from its `fromOffset` on; takes the owner over. `credit` is asked for an owner of the bytes that the rows
 * keep alive.
 */
export function takeRecords(read: ReadBatch, limits: TakeLimits, credit: (bytes: number) => Owner): Taken {
  const { batch, fromOffset, owner } = read;
  const { endMs, max } = limits;
  const header = new BatchHeader(batch);
  if (read.isHidden) return nothingOf(read, header);
  const mayEnd = endMs !== undefined && header.maxTimestamp >= endMs;
  const cursor = new RecordCursor().open(batch);
  const spans: number[] = [];
  const offsets: number[] = [];
  const nulls = new Set<number>();
  let next = fromOffset;
  let isOver = false;
  while (offsets.length < max && cursor.advance()) {
    if (cursor.offset < fromOffset) continue;
    isOver = mayEnd && cursor.timestamp >= endMs;
    if (isOver) break;
    if (cursor.valueLength < 0) nulls.add(offsets.length);
    spans.push(cursor.valueStart, Math.max(0, cursor.valueLength));
    offsets.push(cursor.offset);
    next = cursor.offset + 1;
  }
  // A compacted batch ends behind its last record.
  if (!isOver && offsets.length < max) next = header.lastOffset + 1;
  let store: ByteStore;
  const places = Float64Array.from(offsets);
  store = new ByteStore({
    bytes: cursor.bytes,
    spans: Uint32Array.from(spans),
    count: offsets.length,
    owners: [...(owner ? [owner] : []), credit(cursor.bytes.length)],
    origins: new RecordOrigins(read, places, nulls, () => store),
  });
  return { chunks: ChunkBatch.of(store), offsets: places, next, isOver };
}

/** Rows `from` up to `to` as a batch of their own over the same bytes. */
export function sliceOf(chunks: ChunkBatch, from: number, to: number): ChunkBatch {
  const { store } = chunks;
  const rows = Uint32Array.from({ length: to - from }, (_, i) => from + i);
  return ChunkBatch.of(store.derive(store.spans.subarray(2 * from, 2 * to), to - from, rows));
}

/** A whole batch as one chunk, for the dead letters: its records cannot be read. */
/** None of its records; the position behind them. */
export function nothingOf(read: ReadBatch, { baseOffset, lastOffset }: BatchHeader): Taken {
  const chunks = unreadable(read, baseOffset).select(new Uint32Array(0));
  return { chunks, offsets: new Float64Array(0), next: lastOffset + 1, isOver: false };
}

export function unreadable(read: ReadBatch, baseOffset: number): ChunkBatch {
  const { batch, owner, partition, topic } = read;
  const origins: Origins = {
    describe: () => `${topic}/${partition}/${baseOffset}`,
    key: () => null,
    headers: () => NO_HEADERS,
    value: () => batch,
  };
  const spans = Uint32Array.from([0, batch.length]);
  return ChunkBatch.of(new ByteStore({ bytes: batch, spans, count: 1, owners: owner ? [owner] : [], origins }));
}
