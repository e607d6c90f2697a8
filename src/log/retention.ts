/**
 * Retention: the first offset that a topic's configs keep.
 *
 *   cleanup.policy    without `delete` nothing expires
 *   retention.ms      a batch goes when its newest record is older, one without timestamps by the time of its commit;
 *                     -1 keeps all
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
import type { Partition } from './partition.ts';
import { isActive, type Places } from './places.ts';

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
export function retentionStart(partition: Partition, places: Places, retention: Retention): number {
  const start = startByTime(partition, places, retention.keepFromMs);
  return Math.max(start, startByBytes(partition, places, retention.bytesMax));
}

/** From the oldest on, as long as they are too old: an old batch behind newer ones takes nothing with it. */
function startByTime(partition: Partition, places: Places, keepFromMs: number): number {
  let start = partition.startOffset;
  if (keepFromMs === Number.NEGATIVE_INFINITY) return start;
  for (const [i, span] of places.spans(partition)) {
    if (Math.max(span.newest, span.committed) < keepFromMs) {
      start = span.end;
      continue;
    }
    if (!isActive(places.files[i]!)) break;
    const entries = places.entriesOf(partition, i);
    for (let entry = 0; entry < entries.count; entry++) {
      // Minus the time of its commit when the batch has none of its own.
      if (Math.abs(entries.time(entry)) >= keepFromMs) break;
      start = Math.max(start, entries.lastOffset(entry) + 1);
    }
  }
  return start;
}

/** The oldest go as long as what is behind them is enough. */
function startByBytes(partition: Partition, places: Places, bytesMax: number): number {
  let start = partition.startOffset;
  if (bytesMax === Number.POSITIVE_INFINITY || places.sizeOf(partition) <= bytesMax) return start;
  for (const [i, span] of places.spans(partition)) {
    let behind = partition.appendedBytes - span.before.bytes - span.bytes;
    if (behind >= bytesMax) {
      start = span.end;
      continue;
    }
    if (!isActive(places.files[i]!)) break;
    behind += span.bytes;
    const entries = places.entriesOf(partition, i);
    for (let entry = 0; entry < entries.count; entry++) {
      behind -= entries.length(entry);
      if (behind < bytesMax) break;
      start = Math.max(start, entries.lastOffset(entry) + 1);
    }
  }
  return start;
}
