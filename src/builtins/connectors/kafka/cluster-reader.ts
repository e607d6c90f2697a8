/**
 * Partitions of a cluster, over the wire. With the start `stored` the source is a member of a consumer group and reads what
 * the group gives it; with any other start it reads all partitions by itself and commits without being a member.
 *
 *   member    assigned ─► positions resolved, committed where there was nothing ─► reading ─► revoked ─► …
 *   alone     all partitions; those that appear later are added
 *
 * Invariants
 * I1 while partitions change hands `isAtEnd` is false: what is assigned now is not what will be.
 * I2 a position that the group did not have is committed with the assignment: a kill before the first commit skips nothing.
 */
import { type Io, messageOf, MillraceError, type Timer } from '../../../base/index.ts';
import {
  canPass,
  type ClientSettings,
  type Cluster,
  commitOffsets,
  Consumer,
  END,
  type FetchedBatches,
  GroupMember,
  type GroupOffset,
  makeCluster,
  offsetFor,
  START,
} from '../../../client/index.ts';
import type { PartitionLag, SinkHealth, StageContext } from '../../../sdk/index.ts';
import type { ReadBatch } from './batch.ts';
import {
  type OnRevoke,
  partitionKey,
  type ReaderSettings,
  type SavedPosition,
  type TopicMatcher,
  topicMatcher,
  type TopicReader,
} from './reader.ts';
import { beginningOf, type Bounds, tellOfMove } from './start.ts';
import { kafkaNotices } from './errors.ts';

/** How often a pattern is matched with the topics that there are, and partitions are counted. */
const REFRESH_MS = 10_000;
/** For so long a cluster may give nothing and say nothing before that is shown. */
const SILENCE_MS = 10_000;

interface Position {
  readonly topic: string;
  readonly partition: number;
  offset: number;
  end: number;
}

export class ClusterReader implements TopicReader {
  private readonly context: StageContext;
  private readonly io: Io;
  private readonly cluster: Cluster;
  private readonly consumer: Consumer;
  private readonly client: ClientSettings;
  private readonly settings: ReaderSettings;
  private readonly topics: TopicMatcher;
  private readonly onRevoke: OnRevoke;
  private readonly positions = new Map<string, Position>();
  private saved = new Map<string, number>();
  private member: GroupMember | undefined;
  private subscribed: readonly string[] = [];
  private isSettled = false;
  private failure: unknown;
  private pending: Promise<readonly FetchedBatches[]> | undefined;
  private refreshTimer: Timer | undefined;
  private isRefreshing = false;
  /** Since when the group has given nothing to read. */
  private unsettledMs = 0;
  private isClosed = false;

  constructor(context: StageContext, client: ClientSettings, settings: ReaderSettings, onRevoke: OnRevoke) {
    this.context = context;
    this.io = context.io;
    this.client = client;
    this.settings = settings;
    this.onRevoke = onRevoke;
    this.topics = topicMatcher(settings.topic);
    const report = (error: Error): void => this.report(error);
    const reporting = { ...client, cluster: { ...client.cluster, report } };
    this.cluster = makeCluster(context.io, reporting, context.arena);
    this.consumer = new Consumer(this.cluster, client.consumer);
  }

  async open(saved: ReadonlyMap<string, SavedPosition>): Promise<void> {
    this.saved = new Map([...saved].map(([key, { offset }]) => [key, offset]));
    this.unsettledMs = this.io.clock.monotonic();
    const names = await this.matching();
    if (this.settings.start.kind === 'stored') await this.join(names);
    else {
      await this.assignAll(names, false);
      this.isSettled = true;
    }
    this.scheduleRefresh();
  }

  async poll(waitMs: number): Promise<readonly ReadBatch[]> {
    if (this.failure) throw this.failure;
    this.pending ??= this.consumer.poll();
    const { pending } = this;
    let timer: Timer | undefined;
    const late = new Promise<undefined>(resolve => {
      timer = this.io.clock.after(waitMs, () => resolve(undefined));
    });
    const fetched = await Promise.race([pending, late]);
    timer?.cancel();
    if (!fetched) return [];
    this.pending = undefined;
    const read = fetched.flatMap(piece => this.accept(piece));
    for (const { owner } of fetched) owner?.release();
    return read;
  }

  get isAtEnd(): boolean {
    return this.isSettled && this.consumer.isAtEnd;
  }

  finish(topic: string, partition: number): void {
    this.positions.delete(partitionKey(topic, partition));
    this.reassign();
  }

  commit(offsets: readonly GroupOffset[]): Promise<boolean> {
    return this.member ? this.member.commit(offsets) : commitOffsets(this.cluster, this.settings.group, offsets);
  }

  lag(): readonly Omit<PartitionLag, 'seconds'>[] {
    return [...this.positions.values()]
      .filter(({ end }) => end >= 0)
      .map(({ end, offset, partition, topic }) => ({ topic, partition, records: Math.max(0, end - offset) }));
  }

  health(): SinkHealth {
    const now = this.io.clock.monotonic();
    const awaited = this.isSettled ? this.consumer.awaited() : { what: 'the group', sinceMs: this.unsettledMs };
    if (!awaited || now - awaited.sinceMs < SILENCE_MS) return { isUp: true };
    const seconds = Math.floor((now - awaited.sinceMs) / 1_000);
    return { isUp: false, reason: `no answer for ${seconds} s of ${awaited.what}` };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.refreshTimer?.cancel();
    this.consumer.close();
    // Its answer is of no use any more, nor why there is none.
    this.pending?.catch(() => undefined);
    await this.member?.close();
    await this.cluster.close();
  }

  private accept(piece: FetchedBatches): readonly ReadBatch[] {
    const { batches, endOffset, fromOffset, nextOffset, owner, partition, topic } = piece;
    const position = this.positions.get(partitionKey(topic, partition));
    if (!position) return [];
    // The client has moved the position, and told so.
    if (fromOffset > position.offset) this.context.count('overtaken', fromOffset - position.offset);
    position.offset = nextOffset;
    position.end = endOffset;
    return batches.map(batch => {
      owner?.hold();
      return { topic, partition, batch, fromOffset, owner };
    });
  }

  private async matching(): Promise<readonly string[]> {
    if (!this.topics.isPattern) return [this.settings.topic];
    const { topics } = await this.cluster.metadata(null);
    const names = topics.flatMap(({ errorCode, isInternal, name }) =>
      errorCode === 0 && name !== null && !isInternal && this.topics.matches(name) ? [name] : [],
    );
    return names.sort();
  }

  private async join(names: readonly string[]): Promise<void> {
    this.subscribed = names;
    if (names.length === 0) {
      this.isSettled = true;
      return;
    }
    const { heartbeatMs, instanceId, rebalanceTimeoutMs, sessionTimeoutMs } = this.client.group;
    this.member = new GroupMember(
      this.cluster,
      {
        groupId: this.settings.group,
        topics: names,
        heartbeatMs,
        instanceId,
        rebalanceTimeoutMs,
        sessionTimeoutMs,
      },
      {
        onAssign: partitions => this.assigned(partitions).catch((error: unknown) => this.fail(error)),
        // What others have already cannot be committed any more.
        onRevoke: isLost => this.revoked(isLost ? 0 : rebalanceTimeoutMs / 2),
        onFailure: error => this.fail(error),
      },
    );
    await this.member.start();
  }

  /** Partitions and what the group has committed of them; below zero for nothing. */
  private async assigned(partitions: readonly GroupOffset[]): Promise<void> {
    this.positions.clear();
    const fresh: GroupOffset[] = [];
    for (const { offset: committed, partition, topic } of partitions) {
      const offset = await this.begin(topic, partition, committed < 0 ? undefined : committed, false);
      if (offset !== committed) fresh.push({ topic, partition, offset });
      this.positions.set(partitionKey(topic, partition), { topic, partition, offset, end: -1 });
    }
    // The checkpoint speaks of the first assignment only; what comes back later was committed by whoever had it.
    this.saved.clear();
    if (fresh.length > 0) await this.member?.commit(fresh);
    this.reassign();
    this.isSettled = true;
  }

  /** What passes is tried again by the group; what does not ends the reading. */
  private fail(error: unknown): void {
    if (canPass(error)) throw error;
    this.failure ??= error;
  }

  private report(error: Error): void {
    const code = error instanceof MillraceError ? error.code : kafkaNotices.trouble;
    this.context.warn({ code, message: messageOf(error), span: this.context.span });
  }

  private async revoked(withinMs: number): Promise<void> {
    this.isSettled = false;
    this.unsettledMs = this.io.clock.monotonic();
    this.positions.clear();
    this.reassign();
    await this.onRevoke(withinMs);
  }

  private async assignAll(names: readonly string[], isNew: boolean): Promise<void> {
    this.subscribed = names;
    const fresh: GroupOffset[] = [];
    for (const topic of names) {
      const { leaders } = await this.cluster.topic(topic);
      for (let partition = 0; partition < leaders.length; partition++) {
        const key = partitionKey(topic, partition);
        if (this.positions.has(key) || (isNew && this.saved.has(key))) continue;
        const offset = await this.begin(topic, partition, undefined, isNew);
        this.saved.set(key, offset);
        fresh.push({ topic, partition, offset });
        this.positions.set(key, { topic, partition, offset, end: -1 });
      }
    }
    if (fresh.length === 0) return;
    await this.commit(fresh);
    this.reassign();
  }

  private async begin(
    topic: string,
    partition: number,
    committed: number | undefined,
    isNew: boolean,
  ): Promise<number> {
    const bounds: Bounds = {
      start: () => offsetFor(this.cluster, topic, partition, START),
      end: () => offsetFor(this.cluster, topic, partition, END),
      time: ms => offsetFor(this.cluster, topic, partition, ms),
    };
    const saved = this.saved.get(partitionKey(topic, partition));
    const place = { topic, partition, committed, saved, isNew };
    const { reset, start } = this.settings;
    const beginning = await beginningOf(place, start, reset, this.context.keepsState, bounds);
    if (beginning.moved !== undefined) tellOfMove(this.context, topic, partition, beginning);
    return beginning.offset;
  }

  private reassign(): void {
    this.consumer.assign(
      [...this.positions.values()].map(({ offset, partition, topic }) => ({ topic, partition, offset })),
    );
  }

  private scheduleRefresh(): void {
    this.refreshTimer = this.io.clock.after(
      REFRESH_MS,
      () => {
        void this.refresh();
        this.scheduleRefresh();
      },
      { background: true },
    );
  }

  /** New topics of a pattern; new partitions where no group looks after them. */
  private async refresh(): Promise<void> {
    const isMember = this.settings.start.kind === 'stored';
    if (this.isRefreshing || this.isClosed || (isMember && !this.topics.isPattern)) return;
    this.isRefreshing = true;
    try {
      const names = await this.matching();
      if (!this.topics.isPattern) await this.cluster.metadata(names);
      if (!isMember) await this.assignAll(names, true);
      else if (names.join('\n') !== this.subscribed.join('\n')) await this.rejoin(names);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // What cannot be asked now is asked the next time; reading tells of its own trouble.
      this.context.countError('metadata');
    }
    this.isRefreshing = false;
  }

  /** Under another subscription: what was read is delivered and committed first. */
  private async rejoin(names: readonly string[]): Promise<void> {
    if (this.isSettled) await this.revoked(this.client.group.rebalanceTimeoutMs / 2);
    await this.member?.close();
    this.member = undefined;
    if (!this.isClosed) await this.join(names);
  }
}
