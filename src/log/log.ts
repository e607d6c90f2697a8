/**
 * The log: durable partitions over one journal. Each byte is written once and synced before it is acknowledged or read.
 *
 *   append ─► check producer, reserve offsets ─► committer: one frame, one sync for all that waited ─► answer
 *   read   ─► index: offset to extents of journal files ─► files
 *
 * State tables keep everything else that must survive: topics, log starts, producer ids, and what other parts put in.
 *
 * Files in the directory: `NNNNNNNNNN.mrj` (frame.ts, footer.ts), `manifest-0` and `-1` (manifest.ts), `synced` (mark.ts),
 * `reserve` (space.ts). The lock on the directory is the process's (`app`), not the log's.
 *
 * Invariants
 * I1 an append resolves after the sync that covers it; reads never see beyond the synced end.
 * I2 topics, log starts and state changes are durable before their promises resolve.
 */
import { assert, type Io, type MillraceError, messageOf } from '../base/index.ts';
import { BatchHeader } from '../wire/records/index.ts';
import { Background } from './background.ts';
import { encodeCheckpoint } from './checkpoint.ts';
import { type AppendPart, type CommitStats, Committer } from './committer.ts';
import { DamageReports } from './damage.ts';
import { logErrors } from './errors.ts';
import type { FileIndex } from './file-index.ts';
import type { Footer } from './footer.ts';
import { Housekeeping } from './housekeeping.ts';
import { IndexCache } from './index-cache.ts';
import type { Partition, Topic } from './partition.ts';
import { Places } from './places.ts';
import { ProducerIds } from './producer-ids.ts';
import type { AppendResult } from './producer-state.ts';
import { type Extent, OpenFiles, type ReadOptions, Reads, type Segment, type TimedOffset } from './reads.ts';
import { type Gap, recover } from './recovery.ts';
import { Replay } from './replay.ts';
import { Scrubber } from './scrubber.ts';
import { Reserve } from './space.ts';
import { type StateChange, StateTables } from './state-tables.ts';
import { META, Topics } from './topics.ts';
import { endingOf, markerBatch, openIn, openRow, TransactionRows } from './transactions.ts';

export interface LogSettings {
  readonly directory: string;
  /** A journal file is sealed when it has reached this. */
  readonly fileBytesMax: number;
  /** Appends beyond this wait (`whenWritable`). */
  readonly pendingBytesMax: number;
  /** Deleted files are unlinked after this long. */
  readonly unlinkDelayMs: number;
  readonly retentionCheckMs: number;
  readonly producerExpiryMs: number;
  /** Of the index of sealed files that is kept in memory. */
  readonly indexBytesMax: number;
  /** How often sealed files are read through, to find damage; 0 never. */
  readonly scrubIntervalMs: number;
  readonly scrubBytesPerSecond: number;
  /** Space kept for the time when the disk is full. */
  readonly reserveBytes: number;
}

export const LOG_DEFAULTS: Omit<LogSettings, 'directory'> = {
  fileBytesMax: 128 * 1024 * 1024,
  pendingBytesMax: 64 * 1024 * 1024,
  unlinkDelayMs: 60_000,
  retentionCheckMs: 30_000,
  producerExpiryMs: 86_400_000,
  indexBytesMax: 64 * 1024 * 1024,
  scrubIntervalMs: 604_800_000,
  scrubBytesPerSecond: 8 * 1024 * 1024,
  reserveBytes: 16 * 1024 * 1024,
};

/** Memory of a batch that is given back when the batch is durable or refused. */
export interface BatchOwner {
  release(): void;
}

/** One record batch to append. */
export interface Append {
  readonly partition: Partition;
  /** One complete, validated batch; its offsets are written in place. */
  readonly batch: Uint8Array;
  readonly owner?: BatchOwner | undefined;
  /** The broker's time in place of the producer's; -1 keeps the producer's. */
  readonly appendTimeMs?: number;
  /** State changes that are durable together with the batch; a repetition of an earlier batch makes none. */
  readonly statesAt?: ((baseOffset: number) => readonly StateChange[]) | undefined;
}

const NO_STATES: readonly StateChange[] = [];
const CLUSTER_ID = 'cluster-id';
const FULL_PROBE_MS = 1_000;

export class Log {
  readonly settings: LogSettings;
  readonly states = new StateTables();
  clusterId = '';
  /** Bytes of a torn tail that recovery cut off. */
  tornBytes = 0;
  /** Called once when the log refuses all further writes for good. */
  onFatal: (error: MillraceError) => void = () => undefined;
  private readonly io: Io;
  private readonly topicMap: Topics;
  private readonly transactionRows: TransactionRows;
  private readonly openFiles: OpenFiles;
  private readonly cache: IndexCache;
  private readonly places: Places;
  private readonly reads: Reads;
  private readonly reserve: Reserve;
  private committer!: Committer;
  private refusal: { readonly error: MillraceError; readonly isFull: boolean } | undefined;
  private readonly producerIds = new ProducerIds(states => this.change(states));
  private readonly damage = new DamageReports();
  private readonly background: Background;
  private readonly scrubber: Scrubber;
  private housekeeping!: Housekeeping;
  private isClosed = false;

  private constructor(io: Io, settings: LogSettings) {
    this.io = io;
    this.settings = settings;
    this.topicMap = new Topics(this.states, io.random, states => this.change(states));
    this.transactionRows = new TransactionRows(this.states, this.topicMap.partitions, states => this.change(states));
    this.openFiles = new OpenFiles(io.files);
    this.cache = new IndexCache(settings.indexBytesMax, path => this.openFiles.get(path));
    this.places = new Places(this.cache);
    this.reads = new Reads(this.openFiles, this.places);
    this.reserve = new Reserve(io.files, settings.directory, settings.reserveBytes);
    // An error of the disk that background work meets ends writing, as one in the commit thread does.
    this.background = new Background(io.clock, error => {
      this.refused(logErrors.readOnly({ reason: messageOf(error) }), false);
    });
    const scrubbing = { intervalMs: settings.scrubIntervalMs, bytesPerSecond: settings.scrubBytesPerSecond };
    this.scrubber = new Scrubber(io, scrubbing, () => this.places.files, this.damage);
  }

  static async open(io: Io, settings: Partial<LogSettings> & { readonly directory: string }): Promise<Log> {
    const log = new Log(io, { ...LOG_DEFAULTS, ...settings });
    try {
      await log.start();
    } catch (error) {
      await log.abandon();
      throw error;
    }
    return log;
  }

  /** Called when stored bytes are found to be wrong; what else there is goes on. Once for each file and place. */
  set onDamage(tell: (error: MillraceError) => void) {
    this.damage.onDamage = tell;
  }

  get stats(): CommitStats & { readonly pendingBytes: number; readonly files: number; readonly indexBytes: number } {
    const { cache, committer, places } = this;
    const { pendingBytes } = committer;
    return { ...committer.stats, pendingBytes, files: places.files.length, indexBytes: cache.sizeBytes };
  }

  topics(): IterableIterator<Topic> {
    return this.topicMap.byName.values();
  }

  /** Another number when there are other topics or partitions. */
  get topicsVersion(): number {
    return this.topicMap.version;
  }

  topic(namespace: string, name: string): Topic | undefined {
    return this.topicMap.get(namespace, name);
  }

  /** Of all topics. */
  get partitionCount(): number {
    return this.topicMap.partitions.size;
  }

  topicById(id: string): Topic | undefined {
    return this.topicMap.byId.get(id);
  }

  createTopic(
    namespace: string,
    name: string,
    partitions: number,
    configs: ReadonlyMap<string, string> = new Map(),
  ): Promise<Topic> {
    return this.topicMap.create(namespace, name, partitions, configs);
  }

  async deleteTopic(topic: Topic): Promise<void> {
    await this.topicMap.delete(topic);
    await this.transactionRows.forget(topic.partitions);
    this.housekeeping.dropDeadFiles();
  }

  addPartitions(topic: Topic, count: number): Promise<void> {
    return this.topicMap.addPartitions(topic, count);
  }

  /** `change` is given the configs as they are when its turn has come; what it gives in their place is durable then. */
  changeConfigs(
    topic: Topic,
    change: (configs: ReadonlyMap<string, string>) => ReadonlyMap<string, string>,
  ): Promise<void> {
    return this.topicMap.changeConfigs(topic, change);
  }

  /** Moves the first offset that can be read; never back. */
  async setLogStart(partition: Partition, offset: number): Promise<void> {
    if (offset > partition.syncedEnd) {
      const { index, startOffset: start, syncedEnd: end, topic } = partition;
      throw logErrors.offsetBeyondEnd({ offset, topic: topic.name, partition: index, start, end });
    }
    await this.topicMap.setStart(partition, offset);
    this.housekeeping.dropDeadFiles();
  }

  /** Resolves when all changes are durable. */
  change(states: readonly StateChange[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const refusal = this.refusalFor(true);
      if (refusal) reject(refusal);
      else this.committer.add({ appends: [], states, applied: resolve, failed: reject });
    });
  }

  /**
   * Appends one validated record batch: assigns its offsets in place and resolves when it is synced. `owner` is given
   * back then, or when the append is refused. A repetition of an earlier batch of an idempotent producer resolves with
   * the offsets of the first.
   */
  append(
    partition: Partition,
    batch: Uint8Array,
    owner?: BatchOwner,
    appendTimeMs = -1,
    statesAt?: Append['statesAt'],
  ): Promise<AppendResult> {
    return this.enter({ partition, batch, owner, appendTimeMs, statesAt });
  }

  /** Appends and state changes that are durable together or not at all. Batches of idempotent producers are not for it. */
  commit(appends: readonly Append[], states: readonly StateChange[] = []): Promise<AppendResult[]> {
    const refusal = appends.map(({ partition }) => this.appendRefusal(partition)).find(Boolean);
    if (refusal) {
      for (const { owner } of appends) owner?.release();
      return Promise.reject(refusal);
    }
    const parts = appends.map(append => this.place(append));
    assert(
      parts.every(({ producerId }) => producerId < 0),
      'a unit of several entries holds no batch of an idempotent producer',
    );
    const results = parts.map(({ baseOffset }, i) => ({ baseOffset, logAppendTimeMs: appends[i]!.appendTimeMs ?? -1 }));
    return new Promise((resolve, reject) => {
      this.committer.add({ appends: parts, states, applied: () => resolve(results), failed: reject });
    });
  }

  /**
   * Ends the producer's transaction: a marker in each of the partitions in which it is open, and state changes, all
   * durable together or not at all. Batches of the transaction that are on their way come before the markers.
   */
  endTransaction(
    producer: { readonly producerId: number; readonly producerEpoch: number },
    partitions: readonly Partition[],
    isCommit: boolean,
    states: readonly StateChange[],
  ): Promise<void> {
    const open = openIn(producer, partitions);
    const refusal = this.refusalFor(open.length === 0);
    if (refusal) return Promise.reject(refusal);
    const ending = endingOf(producer, open, isCommit, partition => {
      const batch = markerBatch(producer, isCommit, this.io.clock.now());
      return this.place({ partition, batch });
    });
    return new Promise((resolve, reject) => {
      this.committer.add({
        appends: ending.appends,
        states: [...states, ...ending.rows],
        applied: () => {
          ending.applied();
          resolve();
        },
        failed: reject,
      });
    });
  }

  get directory(): string {
    return this.settings.directory;
  }

  get isBusy(): boolean {
    return this.committer.pendingBytes >= this.settings.pendingBytesMax;
  }

  whenWritable(callback: () => void): void {
    this.committer.whenBelow(this.settings.pendingBytesMax, callback);
  }

  /** A producer id that was never given out before. */
  newProducerId(): Promise<number> {
    return this.producerIds.take();
  }

  /**
   * Where the batches from the one that contains `offset` on lie, up to `bytesMax`; the first batch always, however
   * large, without those that begin at or behind `end`. Empty at the synced end. The caller has checked that the offset is
   * in range.
   */
  locate(partition: Partition, offset: number, bytesMax: number, end?: number): Extent[] {
    return this.damage.telling(() => this.reads.locate(partition, offset, bytesMax, end));
  }

  /** Batches as `locate` finds them, read from the files and checked against the index. */
  read(partition: Partition, offset: number, bytesMax: number, options?: ReadOptions): Uint8Array[] {
    return this.damage.telling(() => this.reads.read(partition, offset, bytesMax, options));
  }

  /** First record at or behind the time: its offset and timestamp; undefined when all are older. */
  offsetForTime(partition: Partition, timestampMs: number): TimedOffset | undefined {
    return this.damage.telling(() => this.reads.offsetForTime(partition, timestampMs));
  }

  /** The newest timestamp and its first offset. */
  maxTimestamp(partition: Partition): TimedOffset | undefined {
    return this.damage.telling(() => this.reads.maxTimestamp(partition));
  }

  /** A partition's shares of the journal's files, oldest first. */
  segments(partition: Partition): Segment[] {
    return this.reads.segments(partition);
  }

  /** Bytes on disk of the shares that are still kept. */
  sizeOf(partition: Partition): number {
    return this.places.sizeOf(partition);
  }

  /** Deletes what retention no longer keeps (`retention.ms`, `retention.bytes` of the topic's configs). */
  async applyRetention(): Promise<void> {
    await this.housekeeping.applyRetention();
    await this.transactionRows.forgetOld();
  }

  /** Settles what is pending, seals the active file and closes all files. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.background.stop();
    await this.scrubber.stop();
    await this.committer.close(this.refusal?.isFull === false);
    this.openFiles.closeAll();
  }

  private enter(append: Append): Promise<AppendResult> {
    const { appendTimeMs = -1, batch, owner, partition } = append;
    const refusal = this.appendRefusal(partition);
    if (refusal) {
      owner?.release();
      return Promise.reject(refusal);
    }
    const header = new BatchHeader(batch);
    const { baseSequence, producerEpoch, producerId, recordCount } = header;
    if (producerId >= 0) {
      try {
        const seen = partition.producers.check(producerId, producerEpoch, baseSequence, recordCount);
        if (seen) {
          owner?.release();
          const first = { baseOffset: seen.baseOffset, logAppendTimeMs: appendTimeMs >= 0 ? seen.maxTimestamp : -1 };
          return seen.pending ?? Promise.resolve(first);
        }
      } catch (error) {
        owner?.release();
        return Promise.reject(error as MillraceError);
      }
    }
    const isOpen = producerId >= 0 && partition.transactions.openSince(producerId) !== undefined;
    if (isOpen && !header.isTransactional) {
      owner?.release();
      return Promise.reject(logErrors.outsideTransaction({ producerId }));
    }
    const part = this.place(append, header);
    const { baseOffset, time } = part;
    let states = append.statesAt?.(baseOffset) ?? NO_STATES;
    if (header.isTransactional && !isOpen) {
      partition.transactions.begin(producerId, baseOffset);
      states = [...states, openRow(partition, producerId, baseOffset)];
    }
    const result = { baseOffset, logAppendTimeMs: appendTimeMs };
    const done = new Promise<AppendResult>((resolve, reject) => {
      this.committer.add({ appends: [part], states, applied: () => resolve(result), failed: reject });
    });
    if (producerId >= 0) {
      const produced = { producerId, producerEpoch, baseSequence, recordCount, baseOffset, maxTimestamp: time };
      partition.producers.add(produced, this.io.clock.monotonic(), done);
    }
    return done;
  }

  /** Reserves offsets and writes them into the batch. */
  private place(append: Append, header = new BatchHeader(append.batch)): AppendPart {
    const { appendTimeMs = -1, batch, owner, partition } = append;
    assert(header.fits() && header.sizeBytes === batch.length, 'what is appended is exactly one record batch');
    const baseOffset = partition.nextOffset;
    header.baseOffset = baseOffset;
    header.partitionLeaderEpoch = partition.leaderEpoch;
    if (appendTimeMs >= 0) header.setLogAppendTime(appendTimeMs);
    const { baseSequence, lastOffset, maxTimestamp, producerEpoch, producerId } = header;
    partition.nextOffset = lastOffset + 1;
    const time = maxTimestamp >= 0 ? maxTimestamp : -this.io.clock.now();
    return { partition, batch, baseOffset, lastOffset, time, producerId, producerEpoch, baseSequence, owner };
  }

  private async start(): Promise<void> {
    const { files } = this.io;
    const { directory, fileBytesMax } = this.settings;
    if (!files.exists(directory)) files.makeDirectory(directory);
    const replay = new Replay(this.states, this.io.clock.monotonic());
    const recovered = recover(files, directory, entry => replay.visit(entry));
    this.tornBytes = recovered.tornBytes;
    this.places.files = [...recovered.files];
    this.topicMap.restore();
    replay.restore(this.topicMap.partitions.values());
    this.expectAllOffsets(recovered.gaps);
    this.reserve.make();
    const { partitions } = this.topicMap;
    const host = {
      directory,
      fileBytesMax,
      states: this.states,
      checkpoint: () => encodeCheckpoint([...partitions.values()]),
      histories: () => partitions.values().map(partition => [partition.id, partition.history] as const),
      files: () => this.places.files,
      addFile: (file: FileIndex) => this.places.files.push(file),
      sealed: (file: FileIndex, footer: Footer) => this.cache.sealed(file, footer),
      refused: (error: MillraceError, isFull: boolean) => this.refused(error, isFull),
    };
    this.committer = new Committer(this.io, host, recovered);
    this.producerIds.restore(this.states);
    this.housekeeping = new Housekeeping({
      ...{ clock: this.io.clock, files, directory, topics: this.topicMap },
      unlinkDelayMs: this.settings.unlinkDelayMs,
      producerExpiryMs: this.settings.producerExpiryMs,
      ...{ places: this.places, cache: this.cache, openFiles: this.openFiles, committer: this.committer },
      ...{ background: this.background, damage: this.damage },
    });
    const orphans = this.transactionRows.restore();
    await this.loadClusterId();
    if (orphans.length > 0) await this.change(orphans);
    this.background.every(this.settings.retentionCheckMs, () => this.retentionPass());
    this.scrubber.start(this.background);
  }

  private async loadClusterId(): Promise<void> {
    const stored = this.states.get(META, CLUSTER_ID);
    this.clusterId = stored
      ? Buffer.from(stored).toString()
      : Buffer.from(this.io.random.bytes(16)).toString('base64url');
    if (!stored) await this.change([{ table: META, key: CLUSTER_ID, value: Buffer.from(this.clusterId) }]);
  }

  /** What is missing was lost, and nobody starts over it. */
  private expectAllOffsets(gaps: readonly Gap[]): void {
    for (const { from, partitionId, path, to } of gaps) {
      const partition = this.topicMap.partitions.get(partitionId);
      if (!partition || to < partition.startOffset) continue;
      const { index, startOffset, topic } = partition;
      const details = { from: Math.max(from, startOffset), to, topic: topic.name, partition: index, file: path };
      throw logErrors.missingOffsets(details);
    }
  }

  /** After a start that failed: nothing of it stays behind. */
  private async abandon(): Promise<void> {
    this.isClosed = true;
    this.background.stop();
    await this.scrubber.stop();
    await this.committer?.close(true);
    this.openFiles.closeAll();
  }

  private appendRefusal(partition: Partition): MillraceError | undefined {
    return partition.topic.isDeleted ? logErrors.topicGone({ topic: partition.topic.name }) : this.refusalFor(false);
  }

  private refusalFor(isState: boolean): MillraceError | undefined {
    if (this.isClosed) return logErrors.closed();
    if (!this.refusal) return undefined;
    return isState && this.refusal.isFull ? undefined : this.refusal.error;
  }

  private refused(error: MillraceError, isFull: boolean): boolean {
    if (this.refusal && !this.refusal.isFull) return false;
    const isFirst = !this.refusal;
    this.refusal = { error: isFull ? error : logErrors.readOnly({ reason: error.message }), isFull };
    if (!isFull) {
      this.onFatal(error);
      return false;
    }
    if (isFirst) this.probeSpace();
    return this.reserve.release();
  }

  private probeSpace(): void {
    this.background.later(FULL_PROBE_MS, () => {
      if (!this.refusal?.isFull) return;
      if (this.reserve.hasSpace()) {
        this.reserve.make();
        this.refusal = undefined;
      } else this.probeSpace();
    });
  }

  private retentionPass(): void {
    if (this.refusal && !this.refusal.isFull) return;
    this.applyRetention().catch((error: unknown) => {
      // On a full disk the next pass tries again; the committer has reported everything else.
      if (!this.refusal && !this.isClosed) this.refused(logErrors.readOnly({ reason: messageOf(error) }), false);
    });
  }
}
