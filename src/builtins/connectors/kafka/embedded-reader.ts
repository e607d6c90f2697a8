/**
 * Partitions of the embedded log, whose files are read here: the process says where batches lie, which costs it one answer for
 * all partitions at a time.
 *
 * Invariants
 * I1 partitions that have brought data go behind the others, so that each comes first in time.
 * I2 the position that reading begins with is committed before the first batch is given: a kill before the first commit
 *    skips nothing.
 */
import { type Arena, type Io, systemCode } from '../../../base/index.ts';
import { AbortedProducers } from '../../../client/index.ts';
import type {
  EmbeddedLog,
  LogExtent,
  LogLocation,
  LogPosition,
  PartitionLag,
  StageContext,
} from '../../../sdk/index.ts';
import { BatchHeader, expectStored } from '../../../wire/records/index.ts';
import type { ReadBatch } from './batch.ts';
import {
  partitionKey,
  type ReaderSettings,
  type SavedPosition,
  type TopicMatcher,
  topicMatcher,
  type TopicReader,
} from './reader.ts';
import { type Beginning, beginningOf, tellOfMove } from './start.ts';

const READ_BYTES = 1024 * 1024;
/** How often new topics and partitions are looked for. */
const REFRESH_MS = 1_000;

interface LocalPartition {
  readonly topic: string;
  readonly partition: number;
  offset: number;
  end: number;
  topicId: string | undefined;
  readonly readsUncommitted: boolean;
}

export class EmbeddedReader implements TopicReader {
  private readonly context: StageContext;
  private readonly io: Io;
  private readonly arena: Arena;
  private readonly log: EmbeddedLog;
  private readonly settings: ReaderSettings;
  private readonly topics: TopicMatcher;
  private readonly known = new Set<string>();
  private partitions: LocalPartition[] = [];
  private saved: ReadonlyMap<string, SavedPosition> = new Map();
  private refreshedMs = Number.NEGATIVE_INFINITY;
  private isOpen = false;

  constructor(context: StageContext, log: EmbeddedLog, settings: ReaderSettings) {
    this.context = context;
    this.io = context.io;
    this.arena = context.arena;
    this.log = log;
    this.settings = settings;
    this.topics = topicMatcher(settings.topic);
  }

  async open(saved: ReadonlyMap<string, SavedPosition>): Promise<void> {
    this.saved = saved;
    const { topic } = this.settings;
    if (!this.topics.isPattern && (await this.log.partitions(topic)) === undefined) await this.log.createTopic(topic);
    await this.refresh();
    this.isOpen = true;
  }

  async poll(waitMs: number): Promise<readonly ReadBatch[]> {
    if (this.io.clock.monotonic() - this.refreshedMs >= REFRESH_MS) await this.refresh();
    const asked = this.partitions;
    if (asked.length === 0) {
      await new Promise<void>(resolve => this.io.clock.after(waitMs, resolve));
      return [];
    }
    const locations = await this.log.locate(asked, READ_BYTES, Math.min(waitMs, REFRESH_MS));
    const batches: ReadBatch[] = [];
    const served = new Set<LocalPartition>();
    let left = READ_BYTES;
    asked.forEach((entry, i) => {
      const location = locations[i]!;
      if (!this.follow(entry, location) || left <= 0) return;
      const before = batches.length;
      left -= this.read(entry, location, batches);
      if (batches.length > before) served.add(entry);
    });
    this.partitions = [
      ...this.partitions.filter(entry => !served.has(entry)),
      ...this.partitions.filter(entry => served.has(entry)),
    ];
    return batches;
  }

  get isAtEnd(): boolean {
    return this.partitions.every(({ end, offset }) => offset >= end);
  }

  finish(topic: string, partition: number): void {
    this.partitions = this.partitions.filter(entry => entry.topic !== topic || entry.partition !== partition);
  }

  async commit(offsets: readonly LogPosition[]): Promise<boolean> {
    await this.log.commit(this.settings.group, offsets);
    return true;
  }

  lag(): readonly Omit<PartitionLag, 'seconds'>[] {
    return this.partitions.map(({ end, offset, partition, topic }) => ({ topic, partition, records: end - offset }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Takes in topics and partitions that were not there before. */
  private async refresh(): Promise<void> {
    this.refreshedMs = this.io.clock.monotonic();
    const { topic } = this.settings;
    const names = this.topics.isPattern ? (await this.log.topics()).filter(name => this.topics.matches(name)) : [topic];
    const added: LocalPartition[] = [];
    for (const name of names) {
      const count = (await this.log.partitions(name)) ?? 0;
      const fresh = Array.from({ length: count }, (_, partition) => partition).filter(
        partition => !this.known.has(partitionKey(name, partition)),
      );
      if (fresh.length === 0) continue;
      const committed = await this.log.committed(this.settings.group, name);
      for (const partition of fresh) added.push(await this.add(name, partition, committed.get(partition)));
    }
    if (added.length === 0) return;
    await this.commit(added);
    this.partitions = [...this.partitions, ...added];
  }

  private async add(topic: string, partition: number, committed: number | undefined): Promise<LocalPartition> {
    this.known.add(partitionKey(topic, partition));
    const readsUncommitted = !this.settings.readsCommitted;
    const [location] = await this.log.locate([{ topic, partition, offset: 0, readsUncommitted }], 0, 0);
    const { endOffset, startOffset, topicId } = location!;
    const last = this.saved.get(partitionKey(topic, partition));
    const isSame = last?.topicId === undefined || last.topicId === topicId;
    const saved = isSame ? last?.offset : undefined;
    const { reset, start } = this.settings;
    const beginning = await beginningOf(
      { topic, partition, committed, saved, isNew: this.isOpen },
      start,
      reset,
      this.context.keepsState,
      {
        start: () => Promise.resolve(startOffset),
        end: () => Promise.resolve(endOffset),
        time: ms => this.log.offsetForTime(topic, partition, ms),
      },
    );
    this.tell(topic, partition, beginning);
    return { topic, partition, offset: beginning.offset, end: endOffset, topicId, readsUncommitted };
  }

  /** False: there is nothing to read at the position. */
  private follow(entry: LocalPartition, location: LogLocation): boolean {
    const { endOffset, isGone, startOffset, topicId } = location;
    const { offset, partition, topic } = entry;
    if (isGone === true) {
      if (!this.topics.isPattern) throw new Error(`topic ${topic} was deleted`);
      this.finish(topic, partition);
      this.known.delete(partitionKey(topic, partition));
      return false;
    }
    entry.end = endOffset;
    const isOther = entry.topicId !== undefined && topicId !== entry.topicId;
    entry.topicId = topicId;
    if (isOther || offset > endOffset) {
      const moved = isOther ? 'the topic was made anew' : `offset ${offset} is beyond the end`;
      this.tell(topic, partition, { offset: startOffset, overtaken: 0, moved });
      entry.offset = startOffset;
      return false;
    }
    if (offset < startOffset) {
      const moved = `offset ${offset} is gone`;
      this.tell(topic, partition, { offset: startOffset, overtaken: startOffset - offset, moved });
      entry.offset = startOffset;
      return false;
    }
    return location.extents.length > 0;
  }

  private tell(topic: string, partition: number, { moved, offset, overtaken }: Beginning): void {
    if (moved === undefined) return;
    tellOfMove(this.context, topic, partition, { moved, offset, overtaken });
  }

  /** Appends the batches of the extents to `batches`; gives the bytes read. */
  private read(entry: LocalPartition, { aborted = [], extents }: LogLocation, batches: ReadBatch[]): number {
    let bytesRead = 0;
    const hidden = new AbortedProducers(aborted);
    for (const extent of extents) {
      const { length } = extent;
      let bytes: Uint8Array;
      const room = this.arena.room(length);
      try {
        bytes = this.fill(extent, room.bytes);
      } catch (error) {
        room.owner?.release();
        // The file went between the answer and now: where its records are, if anywhere, is asked again.
        if (systemCode(error) === 'ENOENT') break;
        throw error;
      }
      bytesRead += length;
      const header = new BatchHeader(bytes);
      for (let at = 0; at < bytes.length; at += header.sizeBytes) {
        header.at(at);
        const isHidden = hidden.hides(header);
        if (header.lastOffset < entry.offset) continue;
        room.owner?.hold();
        batches.push({
          topic: entry.topic,
          topicId: entry.topicId,
          partition: entry.partition,
          batch: bytes.subarray(at, at + header.sizeBytes),
          fromOffset: entry.offset,
          isHidden,
          owner: room.owner,
        });
        entry.offset = header.lastOffset + 1;
      }
      room.owner?.release();
    }
    return bytesRead;
  }

  /** Batches that are what was written, or MR4003. */
  private fill(extent: LogExtent, into: Uint8Array): Uint8Array {
    const file = this.io.files.open(extent.path, 'read');
    try {
      const bytes = into.subarray(0, file.read(into, 0, into.length, extent.position));
      expectStored(bytes, extent);
      return bytes;
    } finally {
      file.close();
    }
  }
}
