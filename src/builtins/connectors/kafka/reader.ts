/**
 * Two ways to read partitions, behind one interface: the embedded log, whose files are read here, and a cluster over the
 * wire. Both give whole record batches in order and keep offsets of a group.
 */
import type { Arena, Io, Slab } from '../../../base/index.ts';
import {
  BY_RESET,
  type ClientSettings,
  type Cluster,
  commitOffsets,
  Consumer,
  END,
  FROM_END,
  FROM_START,
  GroupMember,
  type GroupOffset,
  makeCluster,
  offsetFor,
  START,
} from '../../../client/index.ts';
import type { EmbeddedLog, LogExtent, StageContext } from '../../../sdk/index.ts';
import { BatchHeader, expectStored } from '../../../wire/records/index.ts';
import type { StartOffset } from './arguments.ts';

export interface ReadBatch {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Uint8Array;
  readonly fromOffset: number;
  /** Holds the memory of `batch` once, for whoever takes it. */
  readonly owner: Slab | undefined;
}

export interface TopicReader {
  /** Prepares reading; positions by partition win over the start offset. */
  open(start: StartOffset, positions: ReadonlyMap<number, number>): Promise<void>;
  /** Batches that are there, or none after a short wait. */
  poll(): Promise<readonly ReadBatch[]>;
  readonly isAtEnd: boolean;
  /** False: the partitions are no longer ours, and nothing was committed. */
  commit(offsets: readonly GroupOffset[]): Promise<boolean>;
  close(): Promise<void>;
}

/** Awaited before partitions are given back: what was read of them can still be delivered and committed. */
export type OnRevoke = (withinMs: number) => Promise<void>;

const WAIT_MS = 500;
const READ_BYTES = 1024 * 1024;

interface LocalPartition {
  readonly index: number;
  offset: number;
  end: number;
}

export class EmbeddedReader implements TopicReader {
  private readonly io: Io;
  private readonly arena: Arena;
  private readonly log: EmbeddedLog;
  private readonly topic: string;
  private readonly group: string;
  private readonly partitions: LocalPartition[] = [];
  private turn = 0;

  constructor(context: StageContext, log: EmbeddedLog, topic: string, group: string) {
    this.io = context.io;
    this.arena = context.arena;
    this.log = log;
    this.topic = topic;
    this.group = group;
  }

  async open(start: StartOffset, positions: ReadonlyMap<number, number>): Promise<void> {
    let count = await this.log.partitions(this.topic);
    if (count === undefined) {
      await this.log.createTopic(this.topic, 1);
      count = 1;
    }
    const committed = await this.log.committed(this.group, this.topic);
    for (let index = 0; index < count; index++) {
      const { endOffset, startOffset } = await this.log.locate(
        { topic: this.topic, partition: index, offset: 0 },
        0,
        0,
      );
      const stored = positions.get(index) ?? (start.kind === 'stored' ? committed.get(index) : undefined);
      const offset = stored ?? (await this.first(start, index, startOffset, endOffset));
      this.partitions.push({ index, offset: Math.max(startOffset, Math.min(offset, endOffset)), end: endOffset });
    }
    // Committed at the first assignment: a kill before the first commit skips nothing.
    await this.commit(this.partitions.map(({ index, offset }) => ({ topic: this.topic, partition: index, offset })));
  }

  async poll(): Promise<readonly ReadBatch[]> {
    const count = this.partitions.length;
    for (let i = 0; i < count; i++) {
      const partition = this.partitions[(this.turn + i) % count]!;
      // Only the last one waits, so that no partition keeps another's data waiting for long.
      const waitMs = i === count - 1 ? (count === 1 ? WAIT_MS : 20) : 0;
      const batches = await this.read(partition, waitMs);
      if (batches.length === 0) continue;
      this.turn = (this.turn + i + 1) % count;
      return batches;
    }
    return [];
  }

  get isAtEnd(): boolean {
    return this.partitions.every(({ end, offset }) => offset >= end);
  }

  async commit(offsets: readonly GroupOffset[]): Promise<boolean> {
    await this.log.commit(this.group, offsets);
    return true;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private async first(start: StartOffset, partition: number, startOffset: number, endOffset: number): Promise<number> {
    switch (start.kind) {
      case 'end':
        return endOffset;
      case 'absolute':
        return start.offset;
      case 'from_end':
        return endOffset - start.offset;
      case 'time':
        return this.log.offsetForTime(this.topic, partition, start.ms);
      default:
        return startOffset;
    }
  }

  private async read(partition: LocalPartition, waitMs: number): Promise<ReadBatch[]> {
    const at = { topic: this.topic, partition: partition.index, offset: partition.offset };
    const { endOffset, extents, startOffset } = await this.log.locate(at, READ_BYTES, waitMs);
    partition.end = endOffset;
    if (partition.offset < startOffset) {
      // Retention has overtaken the pipeline: what is gone is gone, the rest goes on.
      partition.offset = startOffset;
      return [];
    }
    const batches: ReadBatch[] = [];
    for (const extent of extents) {
      const { bytes, owner } = this.readExtent(extent);
      const header = new BatchHeader(bytes);
      for (let p = 0; p < bytes.length; p += header.sizeBytes) {
        header.at(p);
        const fromOffset = partition.offset;
        if (header.lastOffset < fromOffset) continue;
        batches.push({
          topic: this.topic,
          partition: partition.index,
          batch: bytes.subarray(p, p + header.sizeBytes),
          fromOffset,
          owner,
        });
        owner?.hold();
        partition.offset = header.lastOffset + 1;
      }
      owner?.release();
    }
    return batches;
  }

  /** Batches that are what was written, or MR4003. */
  private readExtent(extent: LogExtent): ReturnType<Arena['room']> {
    const file = this.io.files.open(extent.path, 'read');
    const room = this.arena.room(extent.length);
    try {
      const got = file.read(room.bytes, 0, extent.length, extent.position);
      expectStored(room.bytes.subarray(0, got), extent);
      return room;
    } catch (error) {
      room.owner?.release();
      throw error;
    } finally {
      file.close();
    }
  }
}

/** Reads as a member of a consumer group; with an explicit start offset it assigns all partitions to itself. */
export class ClusterReader implements TopicReader {
  private readonly cluster: Cluster;
  private readonly consumer: Consumer;
  private readonly settings: ClientSettings;
  private readonly topic: string;
  private readonly group: string;
  private member: GroupMember | undefined;
  private failure: unknown;
  private readonly onRevoke: OnRevoke;

  constructor(context: StageContext, settings: ClientSettings, topic: string, group: string, onRevoke: OnRevoke) {
    this.onRevoke = onRevoke;
    this.settings = settings;
    this.cluster = makeCluster(context.io, settings, context.arena);
    this.consumer = new Consumer(this.cluster, settings.consumer);
    this.topic = topic;
    this.group = group;
  }

  async open(start: StartOffset, positions: ReadonlyMap<number, number>): Promise<void> {
    if (start.kind === 'stored') {
      const { heartbeatMs, instanceId, rebalanceTimeoutMs, sessionTimeoutMs } = this.settings.group;
      // The checkpoint speaks of the first assignment only; what comes back later was committed by whoever had it.
      const saved = new Map(positions);
      this.member = new GroupMember(
        this.cluster,
        { groupId: this.group, topics: [this.topic], heartbeatMs, instanceId, rebalanceTimeoutMs, sessionTimeoutMs },
        {
          onAssign: partitions => {
            this.consumer.assign(
              partitions.map(entry => ({ ...entry, offset: saved.get(entry.partition) ?? entry.offset })),
            );
            saved.clear();
          },
          onRevoke: async isLost => {
            this.consumer.assign([]);
            // What others have already cannot be committed any more.
            await this.onRevoke(isLost ? 0 : rebalanceTimeoutMs / 2);
          },
          onFailure: error => {
            this.failure = error;
          },
        },
      );
      await this.member.start();
      return;
    }
    const { leaders } = await this.cluster.topic(this.topic);
    const assigned = await Promise.all(
      leaders.map(async (_leader, partition) => ({
        topic: this.topic,
        partition,
        offset: positions.get(partition) ?? (await this.first(start, partition)),
      })),
    );
    this.consumer.assign(assigned);
  }

  async poll(): Promise<readonly ReadBatch[]> {
    if (this.failure) throw this.failure;
    const fetched = await this.consumer.poll();
    const read = fetched.flatMap(({ batches, fromOffset, owner, partition, topic }) =>
      batches.map(batch => {
        owner?.hold();
        return { topic, partition, batch, fromOffset, owner };
      }),
    );
    for (const { owner } of fetched) owner?.release();
    return read;
  }

  get isAtEnd(): boolean {
    return this.consumer.isAtEnd;
  }

  commit(offsets: readonly GroupOffset[]): Promise<boolean> {
    return this.member ? this.member.commit(offsets) : commitOffsets(this.cluster, this.group, offsets);
  }

  async close(): Promise<void> {
    this.consumer.close();
    await this.member?.close();
    await this.cluster.close();
  }

  private async first(start: StartOffset, partition: number): Promise<number> {
    switch (start.kind) {
      case 'beginning':
        return FROM_START;
      case 'end':
        return FROM_END;
      case 'absolute':
        return start.offset;
      case 'time':
        return offsetFor(this.cluster, this.topic, partition, start.ms);
      case 'from_end': {
        const end = await offsetFor(this.cluster, this.topic, partition, END);
        return Math.max(await offsetFor(this.cluster, this.topic, partition, START), end - start.offset);
      }
      case 'stored':
        return BY_RESET;
    }
  }
}
