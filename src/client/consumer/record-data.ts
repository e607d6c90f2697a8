/**
 * What a partition's part of a Fetch answer brings: whole record batches, as they lie in the answer.
 *
 *   data   batch · batch · … · the beginning of one more (left for the next fetch)
 *
 * The first batch may begin before the offset that was asked for; one that compaction has emptied holds no record and still
 * moves the position. Batches of transactions that were aborted are told by the answer's list: (producer, first offset), and
 * end with the producer's control batch.
 *
 * Invariants
 * I1 nothing that a broker sends makes a reader stand still or go back: data that does not move the position is an error.
 * I2 a batch whose crc does not match is never handed over, nor one of another format than 2.
 */
import { BATCH_HEADER_BYTES, BATCH_OVERHEAD_BYTES, BatchHeader } from '../../wire/records/index.ts';

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface RecordDataOptions {
  readonly checksCrc: boolean;
  /** Transactions that are not to be seen. */
  readonly aborted: readonly AbortedTransaction[] | null;
}

export interface RecordData {
  readonly batches: readonly Uint8Array[];
  readonly nextOffset: number;
  /** Leader epoch of the last batch. */
  readonly leaderEpoch: number;
}

/** Data that cannot be read on. */
export class RecordDataDefect {
  readonly offset: number;
  readonly reason: string;

  constructor(offset: number, reason: string) {
    this.offset = offset;
    this.reason = reason;
  }
}

const OLDEST_FORMAT_BYTES = 17;

/** Undefined when there is nothing. */
export function readRecordData(
  data: Uint8Array,
  fromOffset: number,
  options: RecordDataOptions,
): RecordData | RecordDataDefect | undefined {
  if (data.length === 0) return undefined;
  const batches: Uint8Array[] = [];
  const aborted = new AbortedProducers(options.aborted);
  const header = new BatchHeader(data);
  let nextOffset = fromOffset;
  let leaderEpoch = -1;
  let at = 0;
  for (; data.length - at >= OLDEST_FORMAT_BYTES; at += header.sizeBytes) {
    header.at(at);
    const defect = (reason: string): RecordDataDefect => new RecordDataDefect(header.baseOffset, reason);
    if (header.magic < 2) return defect(`message format ${header.magic}, which this version does not read`);
    if (header.magic > 2) return defect(`unknown message format ${header.magic}`);
    if (header.batchLength < BATCH_HEADER_BYTES - BATCH_OVERHEAD_BYTES) {
      return defect(`a record batch of ${header.sizeBytes} bytes`);
    }
    if (header.sizeBytes > data.length - at) break;
    if (header.lastOffsetDelta < 0) return defect(`a record batch with ${header.lastOffsetDelta + 1} offsets`);
    if (header.lastOffset < fromOffset) continue;
    if (header.lastOffset < nextOffset) return defect(`a record batch behind one that ends at ${nextOffset - 1}`);
    if (options.checksCrc && header.computeCrc() !== header.crc) return defect('the crc does not match');
    nextOffset = header.lastOffset + 1;
    leaderEpoch = header.partitionLeaderEpoch;
    if (aborted.hides(header) || header.recordCount === 0) continue;
    batches.push(data.subarray(at, at + header.sizeBytes));
  }
  if (nextOffset > fromOffset) return { batches, nextOffset, leaderEpoch };
  if (at > 0) return new RecordDataDefect(fromOffset, 'the answer holds older records only');
  return new RecordDataDefect(fromOffset, 'a record batch that is cut short');
}

/** Which batches are not for the reader: control batches always, those of aborted transactions where they are listed. */
export class AbortedProducers {
  private readonly coming: AbortedTransaction[];
  private readonly active = new Set<number>();

  constructor(aborted: readonly AbortedTransaction[] | null) {
    this.coming = [...(aborted ?? [])].sort((a, b) => b.firstOffset - a.firstOffset);
  }

  hides(header: BatchHeader): boolean {
    let next = this.coming.at(-1);
    for (; next && next.firstOffset <= header.lastOffset; next = this.coming.at(-1)) {
      this.active.add(next.producerId);
      this.coming.pop();
    }
    if (header.isControl) {
      this.active.delete(header.producerId);
      return true;
    }
    return header.isTransactional && this.active.has(header.producerId);
  }
}
