/**
 * Credits of a pipeline: bytes that its source has read and that some stage still holds. While they are taken up the source
 * stops reading and the sinks are asked to send what they gather, so that the memory of a pipeline is bounded however slow
 * its sinks are and however few of its events a batch still holds.
 *
 * Invariants
 * I1 a credit comes back once: when its last holder lets go.
 * I2 a single batch may be larger than all credits: it is taken when nothing else is on its way.
 */
import { assert } from '../base/index.ts';
import type { Owner } from '../data/index.ts';
import type { Credits } from '../sdk/index.ts';

/** What a pipeline may have on its way. */
export const PIPELINE_BYTES_MAX: number = 32 * 1024 * 1024;

export class TaskCredits implements Credits {
  private readonly bytesMax: number;
  private readonly onShort: () => void;
  private waiters: (() => void)[] = [];
  usedBytes = 0;

  /** `onShort` asks those who hold batches to let go. */
  constructor(bytesMax: number, onShort: () => void) {
    this.bytesMax = bytesMax;
    this.onShort = onShort;
  }

  get isShort(): boolean {
    return this.waiters.length > 0;
  }

  take(bytes: number): Owner {
    this.usedBytes += bytes;
    let holders = 1;
    return {
      hold: () => {
        holders++;
      },
      release: () => {
        assert(--holders >= 0, 'I1: a credit was given back twice');
        if (holders > 0) return;
        this.usedBytes -= bytes;
        if (this.usedBytes < this.bytesMax) this.wake();
      },
    };
  }

  room(): void | Promise<void> {
    if (this.usedBytes < this.bytesMax) return;
    return new Promise(resolve => {
      this.waiters.push(resolve);
      this.onShort();
    });
  }

  /** The run is over: nobody waits any more. */
  stop(): void {
    this.wake();
  }

  private wake(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const wake of waiters) wake();
  }
}
