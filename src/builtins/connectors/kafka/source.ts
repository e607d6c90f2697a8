/**
 * `load_kafka` and `from_kafka`: records of topics as chunks, or as `{message}` events.
 *
 * Epochs are cut after `commit_batch_size` messages or `commit_timeout`, and sooner while nothing of the cuts before waits for
 * the sinks; offsets are committed when the sinks have confirmed them. So a kill between source and sink loses nothing, and what
 * comes twice is what was delivered behind the last commit: nothing once a pipeline has been quiet for as long as its sinks
 * need to confirm and `EARLY_MS`. The reader is the embedded log's unless `bootstrap.servers` names a
 * cluster; the group is the pipeline's id unless `group.id` names one.
 *
 * Invariants
 * I1 `count` never over-reads: a batch is cut at the last message wanted; a restart goes on counting.
 * I2 positions of an epoch are those behind the last message emitted before it was cut.
 * I3 when partitions are to be given back nothing more of them is emitted, and what was is cut, delivered and committed first.
 * I4 nothing is read while the pipeline has no credits.
 */
import { messageOf } from '../../../base/index.ts';
import type { ChunkBatch } from '../../../data/index.ts';
import type { PartitionLag, SinkHealth, Source, SourceOutput, StageContext } from '../../../sdk/index.ts';
import { BatchHeader } from '../../../wire/records/index.ts';
import type { ReadRange } from './arguments.ts';
import { nothingOf, type ReadBatch, sliceOf, type Taken, takeRecords, unreadable } from './batch.ts';
import { messagesOf } from './messages.ts';
import { type OnRevoke, partitionKey, type SavedPosition, type TopicReader } from './reader.ts';
import { kafkaNotices } from './errors.ts';

export interface SourceSettings {
  readonly count: number | undefined;
  readonly exits: boolean;
  readonly range: ReadRange;
  readonly commitBatchSize: number;
  readonly commitTimeoutMs: number;
  /** Messages of an emitted batch, at most. */
  readonly batchSize: number;
  /** What each event is made of; chunks of bytes where absent. */
  readonly events: { readonly hasMetadata: boolean } | undefined;
}

/**
 * What a cut keeps: its number, in which assignment it was read, how many messages were emitted so far, and the next offset
 * of each partition. Read: also the form without topics of earlier versions.
 */
interface Positions {
  readonly cut: number;
  readonly assignment: number;
  readonly emitted?: number;
  readonly offsets: readonly Offset[];
}

type Offset = readonly [topic: string, partition: number, offset: number, topicId?: string];

const POLL_MS = 500;
/** Between two cuts that nothing but the sinks' readiness asks for: some commits a second cost nothing that can be measured. */
const EARLY_MS = 250;
const UNREADABLE = kafkaNotices.unreadable;

export class KafkaSource implements Source {
  private readonly context: StageContext;
  private readonly settings: SourceSettings;
  private readonly topic: string;
  private readonly reader: TopicReader;
  private readonly offsets = new Map<string, Offset>();
  /** Newest record timestamp of each partition: the least of them is the watermark. */
  private readonly times = new Map<string, number>();
  /** Partitions whose records are of a time that is not read any more. */
  private readonly over = new Set<string>();
  private watermarkMs = Number.NEGATIVE_INFINITY;
  /** Counts the times that partitions were given back; what was cut before is not committed after. */
  private assignment = 0;
  /** Set while partitions are to be given back; called when what was read of them is delivered and committed. */
  private givenBack: (() => void) | undefined;
  /** The cut behind which nothing of them was emitted; one before it does not cover everything. */
  private lastOfAssignment = Number.POSITIVE_INFINITY;
  private cuts = 0;
  private committedCut = 0;
  private isStopped = false;
  private markStopped: () => void = () => undefined;
  private readonly stopped = new Promise<void>(resolve => {
    this.markStopped = resolve;
  });
  private isOver = false;
  private emitted = 0;
  private sinceCut = 0;
  private cutMs = 0;

  /** `topic`: of positions that were kept without one. */
  constructor(
    context: StageContext,
    settings: SourceSettings,
    topic: string,
    makeReader: (onRevoke: OnRevoke) => TopicReader,
  ) {
    this.context = context;
    this.settings = settings;
    this.topic = topic;
    this.reader = makeReader(withinMs => this.giveBack(withinMs));
  }

  async run(out: SourceOutput, positions: string | undefined): Promise<void> {
    if (!(await this.hasOpened(this.reader.open(this.restore(positions))))) return;
    this.cutMs = this.context.io.clock.monotonic();
    while (!this.isStopped && this.left > 0 && !this.isAtEnd) {
      await this.context.credits.room();
      const reads = await this.reader.poll(this.waitMs);
      await this.emitAll(out, reads);
      if (this.givenBack) await this.cutToGiveBack(out);
      else await this.cutWhenDue(out);
    }
    this.isOver = true;
    if (this.givenBack) await this.cutToGiveBack(out);
    else await this.cut(out, true);
  }

  stop(): void {
    this.isStopped = true;
    this.markStopped();
  }

  async commit(positions: string): Promise<void> {
    const { assignment, cut, offsets } = JSON.parse(positions) as Positions;
    this.committedCut = cut;
    if (assignment === this.assignment && offsets.length > 0) {
      const isOurs = await this.reader.commit(
        offsets.map(([topic, partition, offset, topicId]) => ({
          topic,
          partition,
          offset,
          ...(topicId && { topicId }),
        })),
      );
      if (!isOurs) this.warnOfRepetition();
    }
    if (cut >= this.lastOfAssignment) this.givenBack?.();
  }

  close(): Promise<void> {
    return this.reader.close();
  }

  lag(): readonly PartitionLag[] {
    const now = this.context.io.clock.now();
    return this.reader.lag().map(entry => {
      const newest = this.times.get(partitionKey(entry.topic, entry.partition));
      const seconds = entry.records === 0 || newest === undefined ? 0 : Math.max(0, (now - newest) / 1_000);
      return { ...entry, seconds };
    });
  }

  health(): SinkHealth | undefined {
    return this.reader.health?.();
  }

  /** False when it was stopped before: a cluster or a group that is slow to answer keeps nobody from that. */
  private async hasOpened(opening: Promise<void>): Promise<boolean> {
    const hasOpened = await Promise.race([opening.then(() => true), this.stopped.then(() => false)]);
    this.isOver = !hasOpened;
    // What becomes of it is of no use any more, nor why it failed.
    if (!hasOpened) opening.catch(() => undefined);
    return hasOpened;
  }

  private restore(positions: string | undefined): ReadonlyMap<string, SavedPosition> {
    if (positions === undefined) return new Map();
    const { cut = 0, emitted = 0, offsets } = JSON.parse(positions) as Positions;
    this.cuts = cut;
    this.committedCut = cut;
    this.emitted = emitted;
    return new Map(
      offsets.map(entry => {
        const [topic, partition, offset, topicId]: Offset =
          typeof entry[0] === 'string' ? entry : [this.topic, ...(entry as unknown as [number, number])];
        return [partitionKey(topic, partition), { offset, ...(topicId && { topicId }) }];
      }),
    );
  }

  private get left(): number {
    return this.settings.count === undefined ? Number.MAX_SAFE_INTEGER : this.settings.count - this.emitted;
  }

  /** Until something is due: a cut, or another look at what is to be done. */
  private get waitMs(): number {
    if (this.sinceCut === 0) return POLL_MS;
    return Math.max(1, Math.min(POLL_MS, this.pauseMs - (this.context.io.clock.monotonic() - this.cutMs)));
  }

  /** From one cut to the next one that is due by time. */
  private get pauseMs(): number {
    const { commitTimeoutMs } = this.settings;
    return this.committedCut === this.cuts ? Math.min(EARLY_MS, commitTimeoutMs) : commitTimeoutMs;
  }

  private get isAtEnd(): boolean {
    const { exits, range } = this.settings;
    if (range.endMs === undefined) return exits && this.reader.isAtEnd;
    // What comes later is of a later time, or will be refused for it.
    return this.reader.isAtEnd && (exits || this.context.io.clock.now() >= range.endMs);
  }

  /** Partitions are about to be taken away: what was read of them is delivered and committed first, within a bound. */
  private async giveBack(withinMs: number): Promise<void> {
    const isCommitted = this.isOver && this.committedCut === this.cuts;
    if (this.offsets.size > 0 && !isCommitted && withinMs > 0) {
      const isInTime = await new Promise<boolean>(resolve => {
        const timer = this.context.io.clock.after(withinMs, () => resolve(false));
        this.givenBack = () => {
          timer.cancel();
          resolve(true);
        };
        if (this.isOver) this.lastOfAssignment = this.cuts;
      });
      if (!isInTime) this.warnOfRepetition();
    }
    this.givenBack = undefined;
    this.lastOfAssignment = Number.POSITIVE_INFINITY;
    this.assignment++;
    this.offsets.clear();
    this.times.clear();
  }

  private async cutToGiveBack(out: SourceOutput): Promise<void> {
    if (this.lastOfAssignment <= this.cuts) return;
    this.lastOfAssignment = this.cuts + 1;
    await this.cut(out, true);
    if (this.offsets.size === 0) this.givenBack?.();
  }

  private warnOfRepetition(): void {
    this.context.warn({
      code: kafkaNotices.repetition,
      message:
        'the group gave partitions to another member before their offsets were committed; some events come again',
      span: this.context.span,
    });
  }

  private async emitAll(out: SourceOutput, reads: readonly ReadBatch[]): Promise<void> {
    const { assignment } = this;
    for (const read of reads) {
      const isOver = this.over.has(partitionKey(read.topic, read.partition));
      if (!isOver && this.isWanted(assignment)) await this.emit(out, read, assignment);
      else read.owner?.release();
    }
  }

  private isWanted(assignment: number): boolean {
    return !this.isStopped && this.left > 0 && !this.givenBack && assignment === this.assignment;
  }

  private async emit(out: SourceOutput, read: ReadBatch, assignment: number): Promise<void> {
    const { partition, topic, topicId } = read;
    const at = (offset: number): Offset =>
      [topic, partition, offset, ...(topicId ? [topicId] : [])] as unknown as Offset;
    const key = partitionKey(topic, partition);
    const taken = this.take(read);
    const { chunks } = taken;
    if (taken.isOver) {
      this.over.add(key);
      this.reader.finish(topic, partition);
    }
    const { maxTimestamp } = new BatchHeader(read.batch);
    this.times.set(key, Math.max(maxTimestamp, this.times.get(key) ?? maxTimestamp));
    this.context.count('received_bytes', read.batch.length);
    try {
      for (let from = 0; from < chunks.count && this.isWanted(assignment); ) {
        const room = Math.min(this.settings.batchSize, this.settings.commitBatchSize - this.sinceCut);
        const to = Math.min(chunks.count, from + room);
        this.offsets.set(key, at(to === chunks.count ? taken.next : taken.offsets[to]!));
        this.emitted += to - from;
        this.sinceCut += to - from;
        await this.pass(out, chunks, from, to);
        from = to;
        if (this.sinceCut >= this.settings.commitBatchSize && !this.givenBack) await this.cut(out, false);
      }
      // Records without anything to emit are read all the same.
      if (chunks.count === 0 && assignment === this.assignment) this.offsets.set(key, at(taken.next));
    } finally {
      chunks.release();
    }
  }

  private take(read: ReadBatch): Taken {
    const limits = { max: this.left, endMs: this.settings.range.endMs };
    try {
      return takeRecords(read, limits, bytes => this.context.credits.take(bytes));
    } catch (error) {
      // The batch has the right checksum and cannot be read: it was made that way, and comes the same again.
      const header = new BatchHeader(read.batch);
      this.context.deadLetter(unreadable(read, header.baseOffset), 0, { code: UNREADABLE, message: messageOf(error) });
      return nothingOf(read, header);
    }
  }

  private async pass(out: SourceOutput, chunks: ChunkBatch, from: number, to: number): Promise<void> {
    const slice = from === 0 && to === chunks.count ? chunks : sliceOf(chunks, from, to);
    const { events } = this.settings;
    const batch = events ? messagesOf(slice, events.hasMetadata) : slice;
    await out.emit(batch);
    if (batch !== slice) batch.release();
    if (slice !== chunks) slice.release();
  }

  private async cutWhenDue(out: SourceOutput): Promise<void> {
    const { commitBatchSize } = this.settings;
    const isLate = this.sinceCut > 0 && this.context.io.clock.monotonic() - this.cutMs >= this.pauseMs;
    if (this.sinceCut >= commitBatchSize || isLate) await this.cut(out, false);
  }

  private async cut(out: SourceOutput, urgent: boolean): Promise<void> {
    this.sinceCut = 0;
    this.cutMs = this.context.io.clock.monotonic();
    if (this.offsets.size === 0) return;
    const watermarkMs = Math.min(...this.times.values());
    if (watermarkMs > this.watermarkMs) await out.watermark((this.watermarkMs = watermarkMs));
    const { assignment, emitted } = this;
    const cut: Positions = { cut: ++this.cuts, assignment, emitted, offsets: [...this.offsets.values()] };
    await out.cutEpoch(JSON.stringify(cut), { urgent });
  }
}
