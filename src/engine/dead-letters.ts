/**
 * Dead letters: rows that a stage or sink could not pass on, with what is needed to find and replay them. They go to the
 * process's store as they gather, and an epoch commits when those that came before it are durable.
 *
 * Headers of a dead letter: `millrace.pipeline`, `.stage`, `.code`, `.message`, `.origin` (topic/partition/offset),
 * `.position` (byte position of the defect in the value), `.time`; the original's key, value and headers stay as they were.
 *
 * Invariants
 * I1 an epoch commits only after `flush` of everything that was added before its confirmation.
 * I2 a store that refuses keeps the letters here, and with them the epoch open: nothing is lost, and it is visible.
 * I3 letters that wait are bounded: beyond `WAITING_BYTES_MAX` the pipeline takes nothing more (`room`).
 * I4 after `stop` nothing is written any more: what waits is made again from the last epoch.
 */
import { type Io, messageOf, type Timer } from '../base/index.ts';
import type { DeadLetter, DeadLetterStore } from '../sdk/index.ts';
import { engineErrors } from './errors.ts';

const RETRY_MS = 1_000;
/** What is written together: well below what a topic takes as one record batch. */
const WRITE_BYTES = 512 * 1024;
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** What a letter costs beside its bytes. */
const LETTER_BYTES = 256;

export class DeadLetters {
  private readonly io: Io;
  private readonly pipelineId: string;
  private readonly store: DeadLetterStore;
  private waiting: DeadLetter[] = [];
  private waitingBytes = 0;
  private writing: Promise<void> | undefined;
  private isStopped = false;
  private retry: { readonly timer: Timer; readonly wake: () => void } | undefined;
  /** Why the store refuses at the moment. */
  refusal: string | undefined;
  count = 0;

  constructor(io: Io, pipelineId: string, store: DeadLetterStore) {
    this.io = io;
    this.pipelineId = pipelineId;
    this.store = store;
  }

  add(letter: DeadLetter): void {
    if (this.isStopped) return;
    this.count++;
    this.waiting.push(letter);
    this.waitingBytes += sizeOf(letter);
    if (this.waitingBytes >= WRITE_BYTES) void this.write();
  }

  /** Undefined while more can be taken. */
  room(): void | Promise<void> {
    if (this.waitingBytes < WAITING_BYTES_MAX || this.isStopped) return;
    return this.flush();
  }

  /** Resolves when all letters added so far are durable; waits as long as the store refuses. */
  async flush(): Promise<void> {
    while ((this.waiting.length > 0 || this.writing) && !this.isStopped) await this.write();
  }

  /** The pipeline has failed or ended. */
  stop(): void {
    this.isStopped = true;
    this.waiting = [];
    this.waitingBytes = 0;
    this.retry?.timer.cancel();
    this.retry?.wake();
  }

  private write(): Promise<void> {
    this.writing ??= this.writeAll().finally(() => {
      this.writing = undefined;
    });
    return this.writing;
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const letters = this.next();
      if (!(await this.writeOnce(letters))) return;
      this.waiting.splice(0, letters.length);
      for (const letter of letters) this.waitingBytes -= sizeOf(letter);
    }
  }

  private next(): readonly DeadLetter[] {
    let bytes = 0;
    const end = this.waiting.findIndex(letter => (bytes += sizeOf(letter)) >= WRITE_BYTES);
    return end < 0 ? [...this.waiting] : this.waiting.slice(0, end + 1);
  }

  /** False when the pipeline was stopped meanwhile. */
  private async writeOnce(letters: readonly DeadLetter[]): Promise<boolean> {
    while (!this.isStopped) {
      try {
        await this.store.write(letters);
        this.refusal = undefined;
        return !this.isStopped;
      } catch (error) {
        this.refusal = engineErrors.deadLettersFailed({ pipeline: this.pipelineId, reason: messageOf(error) }).message;
      }
      await new Promise<void>(wake => {
        this.retry = { timer: this.io.clock.after(RETRY_MS, wake), wake };
      });
    }
    return false;
  }
}

function sizeOf({ headers, key, value }: DeadLetter): number {
  let bytes = LETTER_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, header] of headers) bytes += name.length + (header?.length ?? 0);
  return bytes;
}
