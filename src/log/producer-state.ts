/**
 * What a partition knows of idempotent producers: for each producer id the newest epoch and the last five batches.
 *
 *   same batch as one of the five   duplicate: the original offsets, once they are synced
 *   next sequence                   append
 *   gap or older                    45 OUT_OF_ORDER_SEQUENCE_NUMBER
 *   older epoch                     47 INVALID_PRODUCER_EPOCH
 *   newer epoch                     must begin at sequence 0
 *   unknown producer                any first sequence is taken
 *
 * Invariants
 * I1 check and entry happen in one step, before anything else can append.
 * I2 what a failed commit had entered is taken out again (`forgetUnsynced`).
 */
import { logErrors } from './errors.ts';

const BATCHES_KEPT = 5;
const SEQUENCES = 2 ** 31;

export interface AppendResult {
  readonly baseOffset: number;
  readonly logAppendTimeMs: number;
}

interface SeenBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly timestamp: number;
  /** Settles with the commit; undefined once synced. */
  pending: Promise<AppendResult> | undefined;
}

interface Producer {
  epoch: number;
  lastTimestamp: number;
  batches: SeenBatch[];
}

/** [producer id, epoch, last timestamp, [first, last, base offset, timestamp]*] */
export type EncodedProducer = readonly [number, number, number, readonly (readonly [number, number, number, number])[]];

export class ProducerStates {
  private readonly producers = new Map<number, Producer>();

  /** The seen batch that this one repeats, or undefined when it is new and in order. Throws what it must be refused with. */
  check(producerId: number, epoch: number, baseSequence: number, recordCount: number): SeenBatch | undefined {
    const producer = this.producers.get(producerId);
    if (!producer) return undefined;
    if (epoch < producer.epoch) throw logErrors.staleProducerEpoch({ producerId, epoch, newest: producer.epoch });
    if (epoch > producer.epoch) {
      if (baseSequence === 0) return undefined;
      throw logErrors.outOfOrderSequence({ producerId, sequence: baseSequence, expected: 0 });
    }
    const lastSequence = (baseSequence + recordCount - 1) % SEQUENCES;
    const seen = producer.batches.find(
      batch => batch.firstSequence === baseSequence && batch.lastSequence === lastSequence,
    );
    if (seen) return seen;
    const newest = producer.batches.at(-1);
    const expected = newest ? (newest.lastSequence + 1) % SEQUENCES : 0;
    if (newest && baseSequence !== expected) {
      throw logErrors.outOfOrderSequence({ producerId, sequence: baseSequence, expected });
    }
    return undefined;
  }

  /** Enters a batch that `check` let through; `pending` settles with its commit. */
  add(
    producerId: number,
    epoch: number,
    baseSequence: number,
    recordCount: number,
    baseOffset: number,
    timestamp: number,
    pending: Promise<AppendResult> | undefined,
  ): void {
    let producer = this.producers.get(producerId);
    if (!producer) {
      producer = { epoch, lastTimestamp: timestamp, batches: [] };
      this.producers.set(producerId, producer);
    }
    if (producer.epoch !== epoch) {
      producer.epoch = epoch;
      producer.batches = [];
    }
    producer.lastTimestamp = timestamp;
    const lastSequence = (baseSequence + recordCount - 1) % SEQUENCES;
    producer.batches.push({ firstSequence: baseSequence, lastSequence, baseOffset, timestamp, pending });
    if (producer.batches.length > BATCHES_KEPT) producer.batches.shift();
  }

  /** The batch that begins at `baseOffset` is durable. */
  markSynced(producerId: number, baseOffset: number): void {
    const batch = this.producers.get(producerId)?.batches.find(candidate => candidate.baseOffset === baseOffset);
    if (batch) batch.pending = undefined;
  }

  forgetUnsynced(): void {
    for (const [id, producer] of this.producers) {
      producer.batches = producer.batches.filter(batch => batch.pending === undefined);
      if (producer.batches.length === 0) this.producers.delete(id);
    }
  }

  /** Forgets producers that wrote nothing since `before` (ms). */
  expire(before: number): void {
    for (const [id, producer] of this.producers) if (producer.lastTimestamp < before) this.producers.delete(id);
  }

  get size(): number {
    return this.producers.size;
  }

  /** Synced batches only. */
  encode(): EncodedProducer[] {
    return [...this.producers].map(([id, { epoch, lastTimestamp, batches }]) => {
      const synced = batches.filter(batch => batch.pending === undefined);
      return [
        id,
        epoch,
        lastTimestamp,
        synced.map(batch => [batch.firstSequence, batch.lastSequence, batch.baseOffset, batch.timestamp] as const),
      ] as const;
    });
  }

  restore(encoded: readonly EncodedProducer[]): void {
    for (const [id, epoch, lastTimestamp, batches] of encoded) {
      this.producers.set(id, {
        epoch,
        lastTimestamp,
        batches: batches.map(([firstSequence, lastSequence, baseOffset, timestamp]) => ({
          firstSequence,
          lastSequence,
          baseOffset,
          timestamp,
          pending: undefined,
        })),
      });
    }
  }
}
