/** Stages of a few lines: filter and limit. */
import { assert } from '../base/index.ts';
import { EventBatch } from '../data/index.ts';
import type { Batch, Output, Transform } from '../sdk/index.ts';
import type { Predicate } from './predicate.ts';
import type { Maybe } from './receiver.ts';

/** Events behind a stage that takes events; the checker saw to it. */
export function eventsOf(batch: Batch): EventBatch {
  assert(batch instanceof EventBatch, 'bytes reached a stage that takes events');
  return batch;
}

export class Filter implements Transform {
  private readonly predicate: Predicate;

  constructor(predicate: Predicate) {
    this.predicate = predicate;
  }

  process(batch: Batch, out: Output): Maybe {
    const events = eventsOf(batch);
    const rows = this.predicate.select(events);
    if (rows.length === 0) return;
    return out.emit(rows.length === events.count ? events : events.select(rows));
  }
}

/** Passes the first `count` events; its state is how many it has passed. */
export class Limit implements Transform {
  private readonly count: number;
  private passed = 0;

  constructor(count: number) {
    this.count = count;
  }

  get isDone(): boolean {
    return this.passed >= this.count;
  }

  process(batch: Batch, out: Output): Maybe {
    const room = this.count - this.passed;
    if (room <= 0) return;
    this.passed += Math.min(room, batch.count);
    if (batch.count <= room) return out.emit(batch);
    return out.emit(batch.select(Uint32Array.from({ length: room }, (_, row) => row)));
  }

  snapshot(): string {
    return String(this.passed);
  }

  restore(state: string): void {
    this.passed = Number(state);
  }
}
