/**
 * Retention: the first offset that a topic's configs keep.
 *
 *   cleanup.policy    without `delete` nothing expires
 *   retention.ms      a batch goes when its newest record is older; -1 keeps all
 *   retention.bytes   the oldest go while what is behind them has at least this size; -1 keeps all
 *
 * Sealed files are looked at part by part, as Kafka does by segment; in the active file batch by batch, so that a topic
 * with a short retention beside busy ones, or alone and quiet, is cut in time. Space comes back when no batch of a file is
 * live any more.
 *
 * Not here: settling (rewriting files of mixed lifetimes, compaction) will be a file of its own beside this one, which
 * replaces sealed files by way of the manifest.
 *
 * Invariants
 * I1 the start never moves back and never beyond the synced end.
 */
import type { FileIndex } from './file-index.ts';
import type { Partition } from './partition.ts';

/** Kafka's defaults: seven days, any size. */
const RETENTION_MS = 604_800_000;

export interface Retention {
  /** Batches older than this go; -Infinity keeps all. */
  readonly keepFromMs: number;
  /** Infinity keeps all. */
  readonly bytesMax: number;
}

export function retentionOf(configs: ReadonlyMap<string, string>, nowMs: number): Retention | undefined {
  const policy = configs.get('cleanup.policy') ?? 'delete';
  if (!policy.split(',').some(part => part.trim() === 'delete')) return undefined;
  const ms = Number(configs.get('retention.ms') ?? RETENTION_MS);
  const bytes = Number(configs.get('retention.bytes') ?? -1);
  return {
    keepFromMs: ms < 0 ? Number.NEGATIVE_INFINITY : nowMs - ms,
    bytesMax: bytes < 0 ? Number.POSITIVE_INFINITY : bytes,
  };
}

/** First offset to keep; the partition's start when nothing expires. */
export function retentionStart(partition: Partition, active: FileIndex, retention: Retention): number {
  return Math.max(
    partition.startOffset,
    startByTime(partition, active, retention.keepFromMs),
    startByBytes(partition, active, retention.bytesMax),
  );
}

/** From the oldest on, as long as they are too old: an old batch behind newer ones takes nothing with it. */
function startByTime(partition: Partition, active: FileIndex, keepFromMs: number): number {
  let start = partition.startOffset;
  for (const file of partition.files) {
    const part = partition.partOf(file);
    if (part.maxTimestamp < keepFromMs) {
      start = part.lastOffset + 1;
      continue;
    }
    if (file !== active) break;
    const { count, lastOffsets, maxTimestamps } = part.entries!;
    for (let entry = 0; entry < count && maxTimestamps[entry]! < keepFromMs; entry++) start = lastOffsets[entry]! + 1;
  }
  return start;
}

/** From the newest back, until enough is kept. */
function startByBytes(partition: Partition, active: FileIndex, bytesMax: number): number {
  if (bytesMax === Number.POSITIVE_INFINITY) return partition.startOffset;
  let bytes = 0;
  for (let i = partition.files.length - 1; i >= 0; i--) {
    const file = partition.files[i]!;
    const part = partition.partOf(file);
    if (bytes >= bytesMax) return part.lastOffset + 1;
    if (file === active) {
      const { count, lastOffsets, lengths } = part.entries!;
      for (let entry = count - 1; entry >= 0; entry--) {
        if (bytes >= bytesMax) return lastOffsets[entry]! + 1;
        bytes += lengths[entry]!;
      }
    } else bytes += part.bytes;
  }
  return partition.startOffset;
}

/** True when the partitions that still exist need nothing of the file. */
export function isDead(file: FileIndex, partitions: ReadonlyMap<number, Partition>): boolean {
  for (const [id, part] of file.parts) {
    const partition = partitions.get(id);
    if (partition && part.lastOffset >= partition.startOffset) return false;
  }
  return true;
}
