/**
 * Dead letters: rows that a stage or sink could not pass on, with what is needed to find and replay them. Collected
 * here, written by the process's store before the epoch that they belong to commits.
 *
 * Headers of a dead letter: `millrace.pipeline`, `.stage`, `.code`, `.message`, `.origin` (topic/partition/offset),
 * `.position` (byte position of the defect in the value), `.time`; the original's key, value and headers stay as they were.
 *
 * Invariants
 * I1 an epoch commits only after `flush` of everything that was added before its confirmation.
 * I2 a store that refuses keeps the letters here, and with them the epoch open: nothing is lost, and it is visible.
 */
import { type Io, messageOf } from '../base/index.ts';
import type { DeadLetter, DeadLetterStore } from '../sdk/index.ts';
import { engineErrors } from './errors.ts';

const RETRY_MS = 1_000;
/** Letters kept for display, newest last. */
const SAMPLES = 10;

export class DeadLetters {
  private readonly io: Io;
  private readonly pipelineId: string;
  private readonly store: DeadLetterStore;
  private waiting: DeadLetter[] = [];
  private readonly recent: DeadLetter[] = [];
  private flushing: Promise<void> | undefined;
  /** Why the store refuses at the moment. */
  refusal: string | undefined;
  count = 0;

  constructor(io: Io, pipelineId: string, store: DeadLetterStore) {
    this.io = io;
    this.pipelineId = pipelineId;
    this.store = store;
  }

  add(letter: DeadLetter): void {
    this.count++;
    this.waiting.push(letter);
    this.recent.push(letter);
    if (this.recent.length > SAMPLES) this.recent.shift();
  }

  get samples(): readonly DeadLetter[] {
    return this.recent;
  }

  /** Resolves when all letters added so far are durable; waits as long as the store refuses. */
  async flush(): Promise<void> {
    while (this.flushing) await this.flushing;
    if (this.waiting.length === 0) return;
    this.flushing = this.writeAll();
    try {
      await this.flushing;
    } finally {
      this.flushing = undefined;
    }
  }

  private async writeAll(): Promise<void> {
    const letters = this.waiting;
    this.waiting = [];
    for (;;) {
      try {
        await this.store.write(letters);
        this.refusal = undefined;
        return;
      } catch (error) {
        this.refusal = engineErrors.deadLettersFailed({ pipeline: this.pipelineId, reason: messageOf(error) }).message;
      }
      await new Promise<void>(resolve => this.io.clock.after(RETRY_MS, resolve));
    }
  }
}
