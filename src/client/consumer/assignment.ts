/**
 * A partition that a consumer reads: its position, and when the position may be moved other than by reading.
 *
 *   BY_RESET, FROM_START, FROM_END ─(the leader's answer)─► an offset ─(batches handed over)─► the next …
 *        ▲              ▲                                      │
 *        │              └── the topic is another by that name ─┤
 *        └── nothing is at the offset any more ────────────────┘   or back, where a new leader lost what was read
 *
 * Invariants
 * I1 a move by these rules is told to the cluster's `report`; under the rule `error` it is an error instead.
 */
import { errorName, isRetriable, ZERO_UUID } from '../../wire/index.ts';
import type { Cluster, TopicInfo } from '../cluster.ts';
import type { BrokerConnection } from '../connection.ts';
import { brokerError, clientErrors } from '../errors.ts';
import type { TopicPartition } from '../topic-partition.ts';
import { END, epochEnds, listOffsets, START } from './positions.ts';

export type ResetPolicy = 'earliest' | 'latest' | 'error';

/** Offsets with a meaning of their own. */
export const BY_RESET = -1;
export const FROM_START = -2;
export const FROM_END = -3;

export class Assignment implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** Below zero until it is resolved. */
  offset: number;
  endOffset = -1;
  isPaused = false;
  /** Leader epoch of the last batch handed over; -1 for none. */
  readEpoch = -1;
  retryAtMs = 0;
  /** Since when an answer is awaited; infinite when there was one. */
  awaitedMs = Number.POSITIVE_INFINITY;
  /** The topic that the offset is one of. */
  topicId = ZERO_UUID;
  private readonly cluster: Cluster;
  private readonly reset: ResetPolicy;
  /** Leader epoch under which the offset is known to be right. */
  private checkedEpoch = -1;
  private failures = 0;

  constructor(cluster: Cluster, reset: ResetPolicy, { offset, partition, topic }: TopicPartition & { offset: number }) {
    this.cluster = cluster;
    this.reset = reset;
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
  }

  get name(): string {
    return `${this.topic}/${this.partition}`;
  }

  /** The leader's epoch as far as it is known; -1 is not checked by the broker. */
  get leaderEpoch(): number {
    return this.cluster.known(this.topic)?.leaderEpochs[this.partition] ?? -1;
  }

  /** A topic that is another one by the same name is read from its start. Older brokers tell no ids. */
  follow({ id }: TopicInfo): void {
    const before = this.topicId;
    if (id === before) return;
    this.topicId = id;
    if (before === ZERO_UUID || id === ZERO_UUID) return;
    const told = clientErrors.topicRecreated({ topic: this.topic, partition: this.partition });
    if (this.reset === 'error') throw told;
    this.cluster.settings.report?.(told);
    this.offset = FROM_START;
    this.readEpoch = -1;
    this.checkedEpoch = -1;
  }

  /** An error code for a fetch from `offset`; throws what no other try helps. */
  refused(offset: number, code: number): void {
    if (this.offset !== offset) return;
    const isGone = errorName(code) === 'OFFSET_OUT_OF_RANGE';
    const error = brokerError('Fetch', isGone ? `at offset ${offset} of ${this.name}` : `of ${this.name}`, code);
    if (isGone && this.reset !== 'error') {
      const place = this.reset === 'latest' ? 'end' : 'start';
      const { partition, topic } = this;
      this.cluster.settings.report?.(clientErrors.offsetReset({ topic, partition, offset, place }));
      this.offset = BY_RESET;
    } else this.postponeOrThrow(error, code);
  }

  /** Another try for this partition alone, after a pause and with fresh metadata. */
  postpone(error: Error): void {
    const { clock, random } = this.cluster.io;
    const { backoffMaxMs, backoffMs } = this.cluster.settings;
    const most = Math.min(backoffMaxMs, backoffMs * 2 ** this.failures++);
    this.retryAtMs = clock.monotonic() + most * (0.5 + random.float() / 2);
    // A leader that has moved says so once; that is no trouble.
    if (this.failures > 1) this.cluster.troubled(`reading ${this.name}`, error);
    this.cluster.forget(this.topic);
  }

  succeeded(): void {
    this.awaitedMs = Number.POSITIVE_INFINITY;
    if (this.failures === 0) return;
    this.failures = 0;
    this.cluster.calmed(`reading ${this.name}`);
  }

  /** Which time the position stands for that is not an offset yet. */
  get wish(): number {
    if (this.offset === BY_RESET && this.reset === 'error') {
      throw brokerError('Fetch', `of ${this.name}, which has no offset to begin with`, OUT_OF_RANGE);
    }
    return this.offset === FROM_END || (this.offset === BY_RESET && this.reset === 'latest') ? END : START;
  }

  resolved(offset: number, code: number): void {
    if (code !== 0 || offset < 0) {
      this.postponeOrThrow(brokerError('ListOffsets', `of ${this.name}`, code), code);
      return;
    }
    this.offset = offset;
    this.succeeded();
  }

  /** True: there is a new leader, which may not have all that was read. */
  get isDoubtful(): boolean {
    const epoch = this.leaderEpoch;
    if (epoch <= this.checkedEpoch || this.offset < 0) return false;
    if (this.readEpoch >= 0 && this.readEpoch !== epoch) return true;
    this.checkedEpoch = epoch;
    return false;
  }

  /** What the leader of `epoch` says: the records of the epoch that was read last end at `end`; -1: it does not know. */
  checked(epoch: number, end: number, code: number): void {
    if (code !== 0) {
      this.postponeOrThrow(brokerError('OffsetForLeaderEpoch', `of ${this.name}`, code), code);
      return;
    }
    this.checkedEpoch = epoch;
    const { offset, partition, topic } = this;
    if (end < 0 || end >= offset) return;
    const told = clientErrors.logTruncated({ topic, partition, offset, end });
    if (this.reset === 'error') throw told;
    this.cluster.settings.report?.(told);
    this.offset = end;
    this.readEpoch = -1;
  }

  private postponeOrThrow(error: Error, code: number): void {
    if (!isRetriable(code)) throw error;
    this.postpone(error);
  }
}

const OUT_OF_RANGE = 1;

/** Turns `BY_RESET`, `FROM_START` and `FROM_END` into offsets. */
export async function resolveOffsets(
  connection: BrokerConnection,
  entries: readonly Assignment[],
  isolationLevel: number,
): Promise<void> {
  const unknown = entries.filter(({ offset }) => offset < 0);
  if (unknown.length === 0) return;
  const wishes = unknown.map(({ leaderEpoch, partition, topic, wish }) => {
    return { topic, partition, timestamp: wish, leaderEpoch };
  });
  const found = await listOffsets(connection, wishes, isolationLevel);
  found.forEach(({ errorCode, offset }, i) => unknown[i]!.resolved(offset, errorCode));
}

/** Under new leaders: were the records kept that have been read? */
export async function checkEpochs(
  connection: BrokerConnection,
  entries: readonly Assignment[],
  isAsked: boolean,
): Promise<void> {
  const doubtful = entries.filter(({ isDoubtful }) => isDoubtful);
  if (doubtful.length === 0) return;
  const wishes = doubtful.map(({ leaderEpoch, partition, readEpoch, topic }) => {
    return { topic, partition, currentLeaderEpoch: leaderEpoch, leaderEpoch: readEpoch };
  });
  const ends = isAsked ? await epochEnds(connection, wishes) : wishes.map(() => ({ endOffset: -1, errorCode: 0 }));
  ends.forEach(({ endOffset, errorCode }, i) => {
    doubtful[i]!.checked(wishes[i]!.currentLeaderEpoch, endOffset, errorCode);
  });
}
