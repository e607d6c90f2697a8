/**
 * The log: durable partitions over one journal. Each byte is written once and synced before it is acknowledged or read.
 *
 *   append ─► check producer, reserve offsets ─► committer: one frame, one sync for all that waited ─► answer
 *   read   ─► index: offset to extents of journal files ─► files
 *
 * State tables keep everything else that must survive: topics, log starts, producer ids, and what other parts put in.
 *
 * Not here: settling (rewriting files for compaction and mixed lifetimes) will be a file of its own beside `retention.ts`
 * that replaces sealed files; the lock on the data directory is the process's (`app`).
 *
 * Invariants
 * I1 an append resolves after the sync that covers it; reads never see beyond the synced end.
 * I2 topics, log starts and state changes are durable before their promises resolve.
 * I3 a file is unlinked only when no partition has a live batch in it, after a delay that lets running reads finish.
 */
import { type File, type Io, messageOf, type MillraceError, type Timer } from '../base/index.ts';
import { BatchHeader, RecordCursor } from '../wire/records/index.ts';
import { Committer, type CommitStats } from './committer.ts';
import { logErrors } from './errors.ts';
import type { Entries, FileIndex } from './file-index.ts';
import type { FrameEntry } from './frame.ts';
import { Partition, Topic } from './partition.ts';
import type { AppendResult, EncodedProducer } from './producer-state.ts';
import { recover } from './recovery.ts';
import { type StateChange, StateTables } from './state-tables.ts';

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
}

export const LOG_DEFAULTS: Omit<LogSettings, 'directory'> = {
  fileBytesMax: 128 * 1024 * 1024,
  pendingBytesMax: 64 * 1024 * 1024,
  unlinkDelayMs: 60_000,
  retentionCheckMs: 30_000,
  producerExpiryMs: 86_400_000,
};

/** Whole batches of one partition that lie side by side in a file. */
export interface Extent {
  readonly path: string;
  readonly position: number;
  readonly length: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

/** Memory of a batch that is given back when the batch is durable or refused. */
export interface BatchOwner {
  release(): void;
}

interface Checkpoint {
  readonly partitions: readonly {
    readonly id: number;
    readonly end: number;
    readonly producers: readonly EncodedProducer[];
  }[];
}

interface StoredTopic {
  readonly id: string;
  readonly partitions: readonly number[];
  readonly configs: Readonly<Record<string, string>>;
}

const TOPICS = 'topics';
const STARTS = 'log-starts';
const META = 'meta';
const PRODUCER_IDS = 'producer-ids';
const PRODUCER_BLOCK = 1_000;
const FULL_PROBE_MS = 1_000;
/** Space that must be free before writes resume. */
const RESUME_BYTES = 32 * 1024 * 1024;

export class Log {
  readonly settings: LogSettings;
  readonly states = new StateTables();
  clusterId = '';
  /** Bytes of a torn tail that recovery left out. */
  tornBytes = 0;
  /** Called once when the log refuses all further writes for good. */
  onFatal: (error: MillraceError) => void = () => undefined;
  private readonly io: Io;
  private readonly topicsByName = new Map<string, Topic>();
  private readonly topicsById = new Map<string, Topic>();
  private readonly partitionsById = new Map<number, Partition>();
  private files: FileIndex[] = [];
  private readonly openFiles = new Map<string, File>();
  private committer!: Committer;
  private refusal: { readonly error: MillraceError; readonly isFull: boolean } | undefined;
  private nextPartitionId = 1;
  private nextProducerId = 0;
  private producerIdsEnd = 0;
  private readonly timers = new Set<Timer>();
  private isClosed = false;

  private constructor(io: Io, settings: LogSettings) {
    this.io = io;
    this.settings = settings;
  }

  static async open(io: Io, settings: Partial<LogSettings> & { readonly directory: string }): Promise<Log> {
    const log = new Log(io, { ...LOG_DEFAULTS, ...settings });
    await log.start();
    return log;
  }

  get stats(): CommitStats & { readonly pendingBytes: number; readonly files: number } {
    return { ...this.committer.stats, pendingBytes: this.committer.pendingBytes, files: this.files.length };
  }

  topics(): IterableIterator<Topic> {
    return this.topicsByName.values();
  }

  topic(namespace: string, name: string): Topic | undefined {
    return this.topicsByName.get(nameKey(namespace, name));
  }

  topicById(id: string): Topic | undefined {
    return this.topicsById.get(id);
  }

  async createTopic(
    namespace: string,
    name: string,
    partitions: number,
    configs: ReadonlyMap<string, string> = new Map(),
  ): Promise<Topic> {
    if (this.topic(namespace, name)) throw logErrors.topicExists({ topic: name });
    const id = Buffer.from(this.io.random.bytes(16)).toString('hex');
    const topic = new Topic(namespace, name, id, configs);
    for (let index = 0; index < partitions; index++) topic.partitions.push(this.newPartition(topic, index));
    // Visible at once, so that nobody creates it twice; taken back if it does not become durable.
    this.register(topic);
    try {
      await this.change([this.storedTopic(topic), this.highestPartitionId()]);
    } catch (error) {
      this.unregister(topic);
      throw error;
    }
    return topic;
  }

  async deleteTopic(topic: Topic): Promise<void> {
    const starts = topic.partitions.map(partition => ({ table: STARTS, key: String(partition.id), value: undefined }));
    await this.change([{ table: TOPICS, key: nameKey(topic.namespace, topic.name), value: undefined }, ...starts]);
    topic.isDeleted = true;
    this.unregister(topic);
    for (const partition of topic.partitions) partition.wakeAll();
    this.dropDeadFiles();
  }

  async addPartitions(topic: Topic, count: number): Promise<void> {
    const added: Partition[] = [];
    for (let index = topic.partitions.length; index < count; index++) added.push(this.newPartition(topic, index));
    const ids = [...topic.partitions, ...added];
    await this.change([this.storedTopic(topic, topic.configs, ids), this.highestPartitionId()]);
    topic.partitions.push(...added);
    for (const partition of added) this.partitionsById.set(partition.id, partition);
  }

  async setConfigs(topic: Topic, configs: ReadonlyMap<string, string>): Promise<void> {
    await this.change([this.storedTopic(topic, configs)]);
    topic.configs = configs;
  }

  /** Moves the first offset that can be read; never back. */
  async setLogStart(partition: Partition, offset: number): Promise<void> {
    if (offset <= partition.startOffset) return;
    await this.change([{ table: STARTS, key: String(partition.id), value: Buffer.from(String(offset)) }]);
    partition.startOffset = Math.max(partition.startOffset, offset);
    this.dropDeadFiles();
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
  append(partition: Partition, batch: Uint8Array, owner?: BatchOwner, appendTimeMs = -1): Promise<AppendResult> {
    const refusal = partition.topic.isDeleted
      ? logErrors.topicGone({ topic: partition.topic.name })
      : this.refusalFor(false);
    if (refusal) {
      owner?.release();
      return Promise.reject(refusal);
    }
    const header = new BatchHeader(batch);
    const { producerId, recordCount, baseSequence, producerEpoch } = header;
    if (producerId >= 0) {
      try {
        const seen = partition.producers.check(producerId, producerEpoch, baseSequence, recordCount);
        if (seen) {
          owner?.release();
          return seen.pending ?? Promise.resolve({ baseOffset: seen.baseOffset, logAppendTimeMs: -1 });
        }
      } catch (error) {
        owner?.release();
        return Promise.reject(error as MillraceError);
      }
    }
    const baseOffset = partition.nextOffset;
    header.baseOffset = baseOffset;
    header.partitionLeaderEpoch = partition.leaderEpoch;
    if (appendTimeMs >= 0) header.setLogAppendTime(appendTimeMs);
    const { lastOffset, maxTimestamp } = header;
    partition.nextOffset = lastOffset + 1;
    const result = { baseOffset, logAppendTimeMs: appendTimeMs };
    const done = new Promise<AppendResult>((resolve, reject) => {
      const part = {
        partition,
        batch,
        baseOffset,
        lastOffset,
        maxTimestamp,
        producerId,
        release: () => owner?.release(),
      };
      this.committer.add({ appends: [part], states: [], applied: () => resolve(result), failed: reject });
    });
    if (producerId >= 0) {
      partition.producers.add(producerId, producerEpoch, baseSequence, recordCount, baseOffset, maxTimestamp, done);
    }
    return done;
  }

  get isBusy(): boolean {
    return this.committer.pendingBytes >= this.settings.pendingBytesMax;
  }

  whenWritable(callback: () => void): void {
    this.committer.whenBelow(this.settings.pendingBytesMax, callback);
  }

  /** A producer id that was never given out before. */
  async newProducerId(): Promise<number> {
    if (this.nextProducerId >= this.producerIdsEnd) {
      const end = this.producerIdsEnd + PRODUCER_BLOCK;
      await this.change([{ table: PRODUCER_IDS, key: 'end', value: Buffer.from(String(end)) }]);
      if (this.producerIdsEnd < end) {
        this.nextProducerId = this.producerIdsEnd;
        this.producerIdsEnd = end;
      }
    }
    return this.nextProducerId++;
  }

  /**
   * Where the batches from the one that contains `offset` on lie, up to `bytesMax`; the first batch always, however
   * large. Empty at the synced end. The caller has checked that the offset is in range.
   */
  locate(partition: Partition, offset: number, bytesMax: number): Extent[] {
    const extents: Extent[] = [];
    let left = bytesMax;
    const first = offset < partition.syncedEnd ? partition.fileFor(offset) : undefined;
    for (let i = first ?? partition.files.length; i < partition.files.length && left > 0; i++) {
      const file = partition.files[i]!;
      const entries = this.entriesOf(partition, file);
      for (let entry = entries.find(offset); entry < entries.count; entry++) {
        const length = entries.lengths[entry]!;
        if (length > left && extents.length > 0) return extents;
        left -= length;
        addExtent(extents, file.path, entries, entry);
        if (left <= 0) break;
      }
    }
    return extents;
  }

  /** Batches as `locate` finds them, read from the files and checked against the index. */
  read(partition: Partition, offset: number, bytesMax: number): Uint8Array[] {
    return this.locate(partition, offset, bytesMax).map(extent => {
      const bytes = Buffer.allocUnsafeSlow(extent.length);
      const got = this.file(extent.path).read(bytes, 0, extent.length, extent.position);
      this.expectBatches(partition, extent, bytes.subarray(0, got));
      return bytes;
    });
  }

  /** First record at or behind the time: its offset and timestamp; undefined when all are older. */
  offsetForTime(partition: Partition, timestampMs: number): { offset: number; timestamp: number } | undefined {
    for (const file of partition.files) {
      const part = partition.partOf(file);
      if (part.maxTimestamp < timestampMs || part.lastOffset < partition.startOffset) continue;
      const entries = this.entriesOf(partition, file);
      for (let entry = 0; entry < entries.count; entry++) {
        if (entries.maxTimestamps[entry]! < timestampMs || entries.lastOffsets[entry]! < partition.startOffset)
          continue;
        const found = this.recordAtTime(partition, entries.baseOffsets[entry]!, timestampMs);
        if (found) return found;
      }
    }
    return undefined;
  }

  /** The newest timestamp and its first offset. */
  maxTimestamp(partition: Partition): { offset: number; timestamp: number } | undefined {
    const newest = Math.max(-1, ...partition.files.map(file => partition.partOf(file).maxTimestamp));
    return newest < 0 ? undefined : this.offsetForTime(partition, newest);
  }

  /** Deletes what retention no longer keeps (`retention.ms`, `retention.bytes` of the topic's configs). */
  async applyRetention(): Promise<void> {
    const now = this.io.clock.now();
    for (const topic of this.topicsByName.values()) {
      const ms = Number(topic.configs.get('retention.ms') ?? 604_800_000);
      const bytes = Number(topic.configs.get('retention.bytes') ?? -1);
      for (const partition of topic.partitions) {
        const start = retentionStart(partition, this.committer.activeFile, ms < 0 ? -1 : now - ms, bytes);
        if (start > partition.startOffset) await this.setLogStart(partition, start);
        partition.producers.expire(now - this.settings.producerExpiryMs);
      }
    }
    this.dropDeadFiles();
  }

  /** Settles what is pending and closes all files. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    for (const timer of this.timers) timer.cancel();
    if (!this.refusal) await this.committer.drain();
    this.isClosed = true;
    await this.committer.close();
    for (const file of this.openFiles.values()) file.close();
    this.openFiles.clear();
  }

  private async start(): Promise<void> {
    const { files } = this.io;
    const { directory } = this.settings;
    if (!files.exists(directory)) files.makeDirectory(directory);
    let checkpoint: Checkpoint = { partitions: [] };
    const appends: { entry: Extract<FrameEntry, { kind: 'append' }>; position: number }[] = [];
    const recovered = recover(files, directory, {
      checkpoint: bytes => {
        checkpoint = JSON.parse(Buffer.from(bytes).toString()) as Checkpoint;
      },
      entry: (entry, position) => {
        if (entry.kind === 'append') appends.push({ entry, position });
        else if (entry.kind === 'state') this.states.apply(entry);
      },
    });
    this.tornBytes = recovered.tornBytes;
    this.files = [...recovered.files];
    this.restoreTopics();
    this.restorePartitions(checkpoint, appends, recovered.files.at(-1));
    this.committer = new Committer(
      this.io,
      {
        directory,
        fileBytesMax: this.settings.fileBytesMax,
        checkpoint: () => this.encodeCheckpoint(),
        states: this.states,
        addFile: file => this.files.push(file),
        refused: (error, isFull) => this.refused(error, isFull),
      },
      { sequence: recovered.nextSequence, lsn: recovered.lsn },
    );
    this.producerIdsEnd = Number(Buffer.from(this.states.get(PRODUCER_IDS, 'end') ?? Buffer.from('0')).toString());
    this.nextProducerId = this.producerIdsEnd;
    await this.loadClusterId();
    this.every(this.settings.retentionCheckMs, () => {
      this.applyRetention().catch((error: unknown) => {
        if (!this.refusal) this.refused(logErrors.readOnly({ reason: messageOf(error) }), false);
      });
    });
  }

  private async loadClusterId(): Promise<void> {
    const stored = this.states.get(META, 'cluster-id');
    this.clusterId = stored
      ? Buffer.from(stored).toString()
      : Buffer.from(this.io.random.bytes(16)).toString('base64url');
    if (!stored) await this.change([{ table: META, key: 'cluster-id', value: Buffer.from(this.clusterId) }]);
  }

  private restoreTopics(): void {
    for (const [key, value] of this.states.entries(TOPICS)) {
      const [namespace, name] = JSON.parse(key) as [string, string];
      const stored = JSON.parse(Buffer.from(value).toString()) as StoredTopic;
      const topic = new Topic(namespace, name, stored.id, new Map(Object.entries(stored.configs)));
      stored.partitions.forEach((id, index) => topic.partitions.push(new Partition(id, topic, index)));
      this.register(topic);
    }
    const highest = Buffer.from(this.states.get(META, 'partition-ids') ?? Buffer.from('0')).toString();
    this.nextPartitionId = Math.max(Number(highest), ...this.partitionsById.keys()) + 1;
  }

  private restorePartitions(
    checkpoint: Checkpoint,
    appends: readonly { entry: Extract<FrameEntry, { kind: 'append' }> }[],
    newest: FileIndex | undefined,
  ): void {
    for (const { id, end, producers } of checkpoint.partitions) {
      const partition = this.partitionsById.get(id);
      if (!partition) continue;
      partition.syncedEnd = end;
      partition.producers.restore(producers);
    }
    for (const file of this.files) {
      for (const [id] of file.parts) this.partitionsById.get(id)?.files.push(file);
    }
    const batch = Buffer.alloc(61);
    for (const { entry } of appends) {
      const partition = this.partitionsById.get(entry.partitionId);
      if (!partition) continue;
      partition.syncedEnd = entry.lastOffset + 1;
      this.restoreProducer(partition, entry, newest!, batch);
    }
    for (const partition of this.partitionsById.values()) {
      partition.nextOffset = partition.syncedEnd;
      const start = this.states.get(STARTS, String(partition.id));
      partition.startOffset = start ? Number(Buffer.from(start).toString()) : (this.firstOffset(partition) ?? 0);
    }
  }

  /** Producer fields stand behind the prefix in the table: read the header of the batch itself. */
  private restoreProducer(
    partition: Partition,
    entry: Extract<FrameEntry, { kind: 'append' }>,
    file: FileIndex,
    scratch: Buffer,
  ): void {
    const entries = partition.partOf(file).entries!;
    const at = entries.find(entry.baseOffset);
    this.file(file.path).read(scratch, 0, scratch.length, entries.positions[at]!);
    const header = new BatchHeader(scratch);
    if (header.producerId < 0) return;
    partition.producers.add(
      header.producerId,
      header.producerEpoch,
      header.baseSequence,
      header.recordCount,
      entry.baseOffset,
      entry.maxTimestamp,
      undefined,
    );
  }

  private firstOffset(partition: Partition): number | undefined {
    const file = partition.files[0];
    return file && partition.partOf(file).firstOffset;
  }

  private encodeCheckpoint(): Uint8Array {
    const partitions = [...this.partitionsById.values()].map(partition => ({
      id: partition.id,
      end: partition.syncedEnd,
      producers: partition.producers.encode(),
    }));
    return Buffer.from(JSON.stringify({ partitions } satisfies Checkpoint));
  }

  private newPartition(topic: Topic, index: number): Partition {
    return new Partition(this.nextPartitionId++, topic, index);
  }

  /** Numbers of deleted partitions are not used again: their batches may still lie in files. */
  private highestPartitionId(): StateChange {
    return { table: META, key: 'partition-ids', value: Buffer.from(String(this.nextPartitionId - 1)) };
  }

  private register(topic: Topic): void {
    this.topicsByName.set(nameKey(topic.namespace, topic.name), topic);
    this.topicsById.set(topic.id, topic);
    for (const partition of topic.partitions) this.partitionsById.set(partition.id, partition);
  }

  private unregister(topic: Topic): void {
    this.topicsByName.delete(nameKey(topic.namespace, topic.name));
    this.topicsById.delete(topic.id);
    for (const partition of topic.partitions) this.partitionsById.delete(partition.id);
  }

  private storedTopic(
    topic: Topic,
    configs: ReadonlyMap<string, string> = topic.configs,
    partitions: readonly Partition[] = topic.partitions,
  ): StateChange {
    const stored: StoredTopic = {
      id: topic.id,
      partitions: partitions.map(partition => partition.id),
      configs: Object.fromEntries(configs),
    };
    return { table: TOPICS, key: nameKey(topic.namespace, topic.name), value: Buffer.from(JSON.stringify(stored)) };
  }

  private entriesOf(partition: Partition, file: FileIndex): Entries {
    return file.entriesOf(partition.partOf(file), () => this.file(file.path));
  }

  private file(path: string): File {
    let file = this.openFiles.get(path);
    if (!file) {
      file = this.io.files.open(path, 'read');
      this.openFiles.set(path, file);
    }
    return file;
  }

  /** Walks the headers of what was read: each must stand where the index says, so that damage is never served. */
  private expectBatches(partition: Partition, extent: Extent, bytes: Uint8Array): void {
    const header = new BatchHeader(bytes);
    let at = 0;
    let next = extent.baseOffset;
    while (at < bytes.length) {
      header.at(at);
      const isRight = header.fits() && header.magic === 2 && header.baseOffset >= next;
      if (!isRight) this.refuseRead(partition, next, 'another header stands there');
      next = header.lastOffset + 1;
      at += header.sizeBytes;
    }
    if (next !== extent.lastOffset + 1) this.refuseRead(partition, next, 'the file is shorter');
  }

  private refuseRead(partition: Partition, offset: number, reason: string): never {
    throw logErrors.corruptRead({ topic: partition.topic.name, partition: partition.index, offset, reason });
  }

  private recordAtTime(
    partition: Partition,
    offset: number,
    timestampMs: number,
  ): { offset: number; timestamp: number } | undefined {
    const [bytes] = this.read(partition, offset, 1);
    const cursor = new RecordCursor().open(bytes!);
    while (cursor.advance()) {
      if (cursor.timestamp >= timestampMs && cursor.offset >= partition.startOffset) {
        return { offset: cursor.offset, timestamp: cursor.timestamp };
      }
    }
    return undefined;
  }

  private refusalFor(isState: boolean): MillraceError | undefined {
    if (this.isClosed) return logErrors.closed();
    if (!this.refusal) return undefined;
    return isState && this.refusal.isFull ? undefined : this.refusal.error;
  }

  private refused(error: MillraceError, isFull: boolean): void {
    if (this.refusal && !this.refusal.isFull) return;
    const isFirst = !this.refusal;
    this.refusal = { error: isFull ? error : logErrors.readOnly({ reason: error.message }), isFull };
    if (!isFull) this.onFatal(error);
    else if (isFirst) this.probeSpace();
  }

  private probeSpace(): void {
    this.later(FULL_PROBE_MS, () => {
      if (!this.refusal?.isFull) return;
      if (this.io.files.freeBytes(this.settings.directory) > RESUME_BYTES) this.refusal = undefined;
      else this.probeSpace();
    });
  }

  private dropDeadFiles(): void {
    const isDead = (file: FileIndex): boolean => {
      if (file === this.committer.activeFile || file === this.files.at(-1)) return false;
      for (const [id, part] of file.parts) {
        const partition = this.partitionsById.get(id);
        if (partition && part.lastOffset >= partition.startOffset) return false;
      }
      return true;
    };
    const dead = this.files.filter(isDead);
    if (dead.length === 0) return;
    this.files = this.files.filter(file => !dead.includes(file));
    for (const file of dead) {
      for (const id of file.parts.keys()) {
        const partition = this.partitionsById.get(id);
        partition?.files.splice(partition.files.indexOf(file), 1);
      }
      this.later(this.settings.unlinkDelayMs, () => this.unlink(file.path));
    }
  }

  private unlink(path: string): void {
    this.openFiles.get(path)?.close();
    this.openFiles.delete(path);
    this.io.files.remove(path);
    this.io.files.syncDirectory(this.settings.directory);
  }

  private later(ms: number, callback: () => void): void {
    const timer = this.io.clock.after(
      ms,
      () => {
        this.timers.delete(timer);
        callback();
      },
      { background: true },
    );
    this.timers.add(timer);
  }

  private every(ms: number, callback: () => void): void {
    this.later(ms, () => {
      callback();
      this.every(ms, callback);
    });
  }
}

function nameKey(namespace: string, name: string): string {
  return JSON.stringify([namespace, name]);
}

function addExtent(extents: Extent[], path: string, entries: Entries, entry: number): void {
  const last = extents.at(-1);
  const position = entries.positions[entry]!;
  const length = entries.lengths[entry]!;
  const lastOffset = entries.lastOffsets[entry]!;
  if (last?.path === path && last.position + last.length === position) {
    extents[extents.length - 1] = { ...last, length: last.length + length, lastOffset };
  } else extents.push({ path, position, length, baseOffset: entries.baseOffsets[entry]!, lastOffset });
}

/** First offset that the topic's retention keeps. Only whole parts of sealed files go. */
function retentionStart(partition: Partition, active: FileIndex, keepFrom: number, bytesMax: number): number {
  let start = partition.startOffset;
  let bytes = 0;
  for (let i = partition.files.length - 1; i >= 0; i--) {
    const file = partition.files[i]!;
    const part = partition.partOf(file);
    bytes += part.bytes;
    if (file === active) continue;
    const isTooOld = keepFrom >= 0 && part.maxTimestamp < keepFrom;
    const isTooMuch = bytesMax >= 0 && bytes - part.bytes >= bytesMax;
    if (isTooOld || isTooMuch) {
      start = Math.max(start, part.lastOffset + 1);
      break;
    }
  }
  return start;
}
