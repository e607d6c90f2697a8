/**
 * Taps: looking at any edge of a running pipeline. The predicate runs where the events are; a tap keeps a bounded ring of
 * samples and drops samples, never events, when its reader is slow.
 *
 * Invariants
 * I1 an edge without taps costs one property read a batch.
 * I2 a tap never waits and never throws into the stream: an event that its predicate fails on is not shown.
 */
import { EventBatch } from '../data/index.ts';
import type { Batch } from '../sdk/index.ts';
import type { Predicate } from './predicate.ts';
import type { EdgeTap } from './receiver.ts';

export interface TapReport {
  readonly samples: readonly string[];
  /** Events that passed the edge while the tap was open. */
  readonly seen: number;
  /** Events that matched but were not kept, because the ring was full. */
  readonly dropped: number;
  /** True when the edge carried bytes, to which no predicate applies: none of them was shown. */
  readonly isUnfiltered: boolean;
}

export class Tap {
  private readonly predicate: Predicate | undefined;
  private readonly capacity: number;
  private ring: string[] = [];
  private seen = 0;
  private dropped = 0;
  private isUnfiltered = false;

  constructor(predicate: Predicate | undefined, capacity: number) {
    this.predicate = predicate;
    this.capacity = capacity;
  }

  observe(batch: Batch): void {
    this.seen += batch.count;
    if (!(batch instanceof EventBatch)) {
      if (this.predicate) {
        this.isUnfiltered = true;
        return;
      }
      for (let row = 0; row < batch.count; row++) this.keep(() => batch.textOf(row));
      return;
    }
    const rows = this.predicate ? this.predicate.select(batch) : undefined;
    const count = rows ? rows.length : batch.count;
    for (let i = 0; i < count; i++) {
      const row = rows ? rows[i]! : i;
      this.keep(() => batch.textOf(row));
    }
  }

  /** Takes what was collected since the last call. */
  take(): TapReport {
    const { dropped, isUnfiltered, ring, seen } = this;
    const report = { samples: ring, seen, dropped, isUnfiltered };
    this.ring = [];
    return report;
  }

  private keep(text: () => string): void {
    if (this.ring.length >= this.capacity) this.dropped++;
    else this.ring.push(text());
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
