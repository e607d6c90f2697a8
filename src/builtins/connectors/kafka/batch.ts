/** Fetched record batches as chunks: one row a record, its value in place, with key, headers and offset on demand. */
import { ByteStore, ChunkBatch, type Origins } from '../../../data/index.ts';
import { RecordCursor } from '../../../wire/records/index.ts';
import type { ReadBatch } from './reader.ts';

/** Rows of one partition. What they point to are the fetched bytes, or what a compressed batch inflated to. */
class RecordOrigins implements Origins {
  private readonly topic: string;
  private readonly partition: number;
  private readonly batch: Uint8Array;
  private readonly store: () => ByteStore;
  private readonly offsets: Float64Array;

  constructor(topic: string, partition: number, batch: Uint8Array, offsets: Float64Array, store: () => ByteStore) {
    this.topic = topic;
    this.partition = partition;
    this.batch = batch;
    this.offsets = offsets;
    this.store = store;
  }

  describe(row: number): string {
    return `${this.topic}/${this.partition}/${this.offsets[row]}`;
  }

  key(row: number): Uint8Array | null {
    return this.find(row)?.key ?? null;
  }

  headers(row: number): readonly (readonly [string, Uint8Array | null])[] {
    return this.find(row)?.headers() ?? [];
  }

  value(row: number): Uint8Array | null {
    return this.store().bytesOf(row);
  }

  /** Asked for dead letters only: reads the batch again rather than keeping a place for every record. */
  private find(row: number): RecordCursor | undefined {
    const cursor = new RecordCursor().open(this.batch);
    while (cursor.advance()) if (cursor.offset === this.offsets[row]) return cursor;
    return undefined;
  }
}

/**
 * Records of a batch from its `fromOffset` on, at most `max`; takes the owner over. A null value is a row without bytes.
 * `next` is the offset behind the last record taken.
 */
export function chunksOf(read: ReadBatch, max: number): { readonly chunks: ChunkBatch; readonly next: number } {
  const { batch, fromOffset, owner, partition, topic } = read;
  const cursor = new RecordCursor().open(batch);
  const spans: number[] = [];
  const offsets: number[] = [];
  let next = fromOffset;
  while (offsets.length < max && cursor.advance()) {
    if (cursor.offset < fromOffset) continue;
    spans.push(cursor.valueStart, Math.max(0, cursor.valueLength));
    offsets.push(cursor.offset);
    next = cursor.offset + 1;
  }
  let store: ByteStore;
  const origins = new RecordOrigins(topic, partition, batch, Float64Array.from(offsets), () => store);
  store = new ByteStore({
    bytes: cursor.bytes,
    spans: Uint32Array.from(spans),
    count: offsets.length,
    owners: owner ? [owner] : [],
    origins,
  });
  return { chunks: ChunkBatch.of(store), next };
}
