/**
 * Taps: looking at any edge of a running pipeline. The predicate runs where the events are; a tap keeps a bounded ring of
 * samples and drops samples, never events, when its reader is slow.
 *
 * Invariants
 * I1 an edge without taps costs one property read a batch.
 * I2 a tap never waits and never throws into the stream: an event that its predicate or its printing fails on is counted as
 *    dropped.
 * I3 the ring is bounded by samples and by bytes.
 */
import { EventBatch } from '../data/index.ts';
import type { Batch } from '../sdk/index.ts';
import type { Predicate } from './predicate.ts';
import type { EdgeTap } from './receiver.ts';

export interface TapSample {
  readonly text: string;
  /** The row's id: the same event on another edge has the same one. */
  readonly row: number;
  /** `topic/partition/offset`, where the event came from a topic. */
  readonly origin: string | undefined;
}

export interface TapReport {
  readonly samples: readonly string[];
  /** What else is known of each sample, in the same order. */
  readonly rows: readonly Omit<TapSample, 'text'>[];
  /** Events that passed the edge while the tap was open. */
  readonly seen: number;
  /** Of those, how many the condition held for. */
  readonly matched: number;
  /** Events that matched but were not kept, because the ring was full. */
  readonly dropped: number;
  /** True when the edge carried bytes, to which no predicate applies: none of them was shown. */
  readonly isUnfiltered: boolean;
}

const RING_CHARS_MAX = 4 * 1024 * 1024;

export class Tap {
  private readonly predicate: Predicate | undefined;
  private readonly capacity: number;
  private ring: TapSample[] = [];
  private ringChars = 0;
  private seen = 0;
  private matched = 0;
  private dropped = 0;
  private isUnfiltered = false;

  constructor(predicate: Predicate | undefined, capacity: number) {
    this.predicate = predicate;
    this.capacity = capacity;
  }

  observe(batch: Batch): void {
    this.seen += batch.count;
    const { predicate } = this;
    if (predicate && !(batch instanceof EventBatch)) {
      this.isUnfiltered = true;
      return;
    }
    let rows: Uint32Array | undefined;
    try {
      rows = predicate?.select(batch as EventBatch);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.dropped += batch.count;
      return;
    }
    const count = rows ? rows.length : batch.count;
    this.matched += count;
    const room = Math.max(0, Math.min(count, this.capacity - this.ring.length));
    this.dropped += count - room;
    for (let i = 0; i < room; i++) this.keep(batch, rows ? rows[i]! : i);
  }

  /** Takes what was collected since the last call. */
  take(): TapReport {
    const { dropped, isUnfiltered, matched, ring, seen } = this;
    this.ring = [];
    this.ringChars = 0;
    return {
      samples: ring.map(({ text }) => text),
      rows: ring.map(({ origin, row }) => ({ row, origin })),
      seen,
      matched,
      dropped,
      isUnfiltered,
    };
  }

  private keep(batch: Batch, row: number): void {
    try {
      const text = this.ringChars < RING_CHARS_MAX ? batch.textOf(row) : undefined;
      if (text === undefined || this.ringChars + text.length > RING_CHARS_MAX) {
        this.dropped++;
        return;
      }
      this.ring.push({ text, row: batch.idOf(row), origin: batch.originOf(row) });
      this.ringChars += text.length;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.dropped++;
    }
  }
}

/** The taps of one edge. */
export class TapPoint implements EdgeTap {
  private readonly taps = new Set<Tap>();
  isObserved = false;

  observe(batch: Batch): void {
    for (const tap of this.taps) tap.observe(batch);
  }

  open(tap: Tap): () => void {
    this.taps.add(tap);
    this.isObserved = true;
    return () => {
      this.taps.delete(tap);
      this.isObserved = this.taps.size > 0;
    };
  }
}
