/**
 * A sealed batch on its way: the bytes that are sent, whom to tell, and how far it is.
 *
 *   waiting ─► underway ─┬─► acknowledged
 *      ▲                 └─► failed ─┐
 *      └─────────────────────────────┘
 *
 * A batch that is too large for its topic falls into two halves, which have the sequence numbers that it had.
 */
import { BatchHeader, CODEC, type CodecName, RecordBatchBuilder, RecordCursor } from '../../wire/records/index.ts';

/** Told once for a run of records that were given with it: the tags they were given, and why they failed if they did. */
export type Acknowledge = (tags: readonly number[], error: Error | undefined) => void;

export interface Acknowledgement {
  readonly done: Acknowledge;
  readonly tags: number[];
}

/**
 * `again`: worth another try. `sequence`: the broker refused the sequence number. `epoch`: it knows a newer producer by our
 * id. `too large`: for the topic. `fatal`: no try will help.
 */
export interface Failure {
  readonly kind: 'again' | 'sequence' | 'epoch' | 'too large' | 'fatal';
  readonly error: Error;
}

export interface Identity {
  readonly id: number;
  readonly epoch: number;
}

/** Sequence numbers count from zero to the largest int32 and begin again. */
export const SEQUENCES: number = 2 ** 31;

export class ProducedBatch {
  readonly bytes: Uint8Array;
  readonly recordCount: number;
  readonly acknowledgements: readonly Acknowledgement[];
  readonly bornMs: number;
  /** What the batch counts for in the producer's memory. */
  readonly heldBytes: number;
  /** First sequence number under the window's identity; -1 before the first try. */
  sequence = -1;
  state: 'waiting' | 'underway' | 'acknowledged' | 'failed' = 'waiting';
  failure: Failure | undefined;
  private sealedSequence: number | undefined;
  private sealedBy: Identity | undefined;

  constructor(
    bytes: Uint8Array,
    recordCount: number,
    acknowledgements: readonly Acknowledgement[],
    bornMs: number,
    heldBytes: number,
  ) {
    this.bytes = bytes;
    this.recordCount = recordCount;
    this.acknowledgements = acknowledgements;
    this.bornMs = bornMs;
    this.heldBytes = heldBytes;
  }

  /** Writes producer and sequence into the bytes, and their checksum; once for all tries that do not change them. */
  seal(identity: Identity | undefined): void {
    if (this.sealedSequence === this.sequence && this.sealedBy === identity) return;
    this.sealedSequence = this.sequence;
    this.sealedBy = identity;
    new BatchHeader(this.bytes).setProducer(identity?.id ?? -1, identity?.epoch ?? -1, this.sequence);
  }

  /** Two batches of half the records each; undefined for one that was given as a whole, or is a single record. */
  split(): [ProducedBatch, ProducedBatch] | undefined {
    const isOurs = this.acknowledgements.reduce((sum, { tags }) => sum + tags.length, 0) === this.recordCount;
    if (!isOurs || this.recordCount < 2) return undefined;
    const first = Math.ceil(this.recordCount / 2);
    const builders = [new RecordBatchBuilder(this.heldBytes), new RecordBatchBuilder(this.heldBytes)] as const;
    const cursor = new RecordCursor().open(this.bytes);
    for (let i = 0; cursor.advance(); i++) {
      const { key, timestamp, value } = cursor;
      builders[i < first ? 0 : 1].append(timestamp, key, value, cursor.headers());
    }
    const told = splitAcknowledgements(this.acknowledgements, first);
    const codec = codecOf(this.bytes);
    const halves = builders.map((builder, i) => {
      const bytes = builder.finish({ codec, isSealed: false });
      const held = i === 0 ? Math.ceil(this.heldBytes / 2) : Math.floor(this.heldBytes / 2);
      return new ProducedBatch(bytes, builder.recordCount, told[i]!, this.bornMs, held);
    }) as [ProducedBatch, ProducedBatch];
    if (this.sequence >= 0) {
      halves[0].sequence = this.sequence;
      halves[1].sequence = (this.sequence + first) % SEQUENCES;
    }
    return halves;
  }
}

function splitAcknowledgements(all: readonly Acknowledgement[], first: number): [Acknowledgement[], Acknowledgement[]] {
  const halves: [Acknowledgement[], Acknowledgement[]] = [[], []];
  let left = first;
  for (const { done, tags } of all) {
    const take = Math.min(left, tags.length);
    if (take > 0) halves[0].push({ done, tags: tags.slice(0, take) });
    if (take < tags.length) halves[1].push({ done, tags: tags.slice(take) });
    left -= take;
  }
  return halves;
}

function codecOf(bytes: Uint8Array): CodecName {
  const { codec } = new BatchHeader(bytes);
  return (Object.keys(CODEC) as CodecName[]).find(name => CODEC[name] === codec)!;
}
