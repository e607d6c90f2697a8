/**
 * What a partition knows of idempotent producers: for each producer id the newest epoch and the last five batches.
 *
 *   same batch as one of the five   duplicate: the original offsets, once they are synced
 *   next sequence                   append
 *   gap or older                    45 OUT_OF_ORDER_SEQUENCE_NUMBER
 *   older epoch                     47 INVALID_PRODUCER_EPOCH
 *   newer epoch                     must begin at sequence 0, else 45
 *   unknown producer                any first sequence is taken
 *
 * Batches whose commit is under way are kept apart from synced ones, so that a failed commit takes back exactly what it
 * had entered: an epoch raised by it, too.
 *
 * Invariants
 * I1 check and entry happen in one step, before anything else can append.
 * I2 what a failed commit had entered is taken out again (`forgetUnsynced`); the first batch of a new producer keeps its
 *    sequence as the expected one, so that what followed it is not taken for a beginning.
 * I3 a producer expires by the time since the log heard of it, on a clock that does not jump, never by the times of its
 *    records; and the one longest unheard goes when there are more than `PRODUCERS_MAX`, so that ids made up by a peer
 *    fill no memory.
 */
import { logErrors } from './errors.ts';

const BATCHES_KEPT = 5;
/** Of one partition. */
const PRODUCERS_MAX = 10_000;
const SEQUENCES = 2 ** 31;

export interface AppendResult {
  readonly baseOffset: number;
  /** -1 when the records keep the producer's times. */
  readonly logAppendTimeMs: number;
}

export interface ProducedBatch {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
  readonly baseOffset: number;
  readonly maxTimestamp: number;
}

export interface SeenBatch {
  readonly epoch: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly maxTimestamp: number;
  /** Settles with the commit; undefined once synced. */
  readonly pending: Promise<AppendResult> | undefined;
}

export interface StoredProducer {
  readonly producerId: number;
  readonly epoch: number;
  readonly expectedSequence: number;
  readonly batches: readonly SeenBatch[];
}

interface Producer {
  epoch: number;
  /** Next sequence of what is synced; -1 when any is taken. */
  expectedSequence: number;
  heardMs: number;
  /** Synced, oldest first. */
  batches: SeenBatch[];
  unsynced: SeenBatch[];
}

export class ProducerStates {
  /** Longest unheard first. */
  private readonly producers = new Map<number, Producer>();

  /** The seen batch that this one repeats, or undefined when it is new and in order. Throws what it is refused with. */
  check(producerId: number, epoch: number, baseSequence: number, recordCount: number): SeenBatch | undefined {
    const producer = this.producers.get(producerId);
    if (!producer) return undefined;
    const newest = producer.unsynced.at(-1);
    const newestEpoch = newest?.epoch ?? producer.epoch;
    if (epoch < newestEpoch) throw logErrors.staleProducerEpoch({ producerId, epoch, newest: newestEpoch });
    if (epoch > newestEpoch) {
      if (baseSequence === 0) return undefined;
      throw logErrors.outOfOrderSequence({ producerId, sequence: baseSequence, expected: 0 });
    }
    const lastSequence = sequenceAfter(baseSequence, recordCount - 1);
    const isSame = (batch: SeenBatch): boolean =>
      batch.epoch === epoch && batch.firstSequence === baseSequence && batch.lastSequence === lastSequence;
    const seen = producer.unsynced.find(isSame) ?? producer.batches.find(isSame);
    if (seen) return seen;
    const expected = newest ? sequenceAfter(newest.lastSequence, 1) : producer.expectedSequence;
    if (expected < 0 || baseSequence === expected) return undefined;
    throw logErrors.outOfOrderSequence({ producerId, sequence: baseSequence, expected });
  }

  /** Enters a batch that `check` let through; `pending` settles with its commit. */
  add(batch: ProducedBatch, nowMs: number, pending: Promise<AppendResult> | undefined): void {
    const { baseSequence, producerEpoch: epoch, producerId } = batch;
    let producer = this.producers.get(producerId);
    if (producer) this.producers.delete(producerId);
    else {
      producer = { epoch, expectedSequence: baseSequence, heardMs: nowMs, batches: [], unsynced: [] };
      if (this.producers.size >= PRODUCERS_MAX) this.forgetOldest();
    }
    this.producers.set(producerId, producer);
    producer.heardMs = nowMs;
    const seen: SeenBatch = {
      epoch,
      firstSequence: baseSequence,
      lastSequence: sequenceAfter(baseSequence, batch.recordCount - 1),
      baseOffset: batch.baseOffset,
      maxTimestamp: batch.maxTimestamp,
      pending,
    };
    if (pending) producer.unsynced.push(seen);
    else enterSynced(producer, seen);
  }

  /** The oldest unsynced batch of the producer is durable. */
  markSynced(producerId: number): void {
    const producer = this.producers.get(producerId);
    const oldest = producer?.unsynced.shift();
    if (producer && oldest) enterSynced(producer, { ...oldest, pending: undefined });
  }

  forgetUnsynced(): void {
    for (const producer of this.producers.values()) producer.unsynced = [];
  }

  /** Forgets producers that wrote nothing since `beforeMs`. */
  expire(beforeMs: number): void {
    for (const [id, producer] of this.producers) {
      if (producer.heardMs >= beforeMs) break;
      if (producer.unsynced.length === 0) this.producers.delete(id);
    }
  }

  get size(): number {
    return this.producers.size;
  }

  /** What is synced. */
  *stored(): IterableIterator<StoredProducer> {
    for (const [producerId, { epoch, expectedSequence, batches }] of this.producers) {
      yield { producerId, epoch, expectedSequence, batches };
    }
  }

  restore(stored: StoredProducer, nowMs: number): void {
    const { batches, epoch, expectedSequence, producerId } = stored;
    this.producers.set(producerId, { epoch, expectedSequence, heardMs: nowMs, batches: [...batches], unsynced: [] });
  }

  private forgetOldest(): void {
    for (const [id, producer] of this.producers) {
      if (producer.unsynced.length > 0) continue;
      this.producers.delete(id);
      return;
    }
  }
}

function enterSynced(producer: Producer, batch: SeenBatch): void {
  if (producer.epoch !== batch.epoch) {
    producer.epoch = batch.epoch;
    producer.batches = [];
  }
  producer.batches.push(batch);
  if (producer.batches.length > BATCHES_KEPT) producer.batches.shift();
  producer.expectedSequence = sequenceAfter(batch.lastSequence, 1);
}

/** Sequences wrap from 2^31 - 1 to 0. */
function sequenceAfter(sequence: number, count: number): number {
  return (sequence + count) % SEQUENCES;
}
