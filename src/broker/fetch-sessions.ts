/**
 * Fetch sessions (KIP-227): a client names its partitions once, then only what has changed, and is told only of partitions
 * that have something to tell.
 *
 *   epoch of a request   0 names all partitions and asks for a session · -1 names all and ends it · n > 0 is the n-th request
 *                        of the session, and names what changed and what is not wanted any more
 *
 * Invariants
 * I1 what a session says is what the same requests would say with all partitions named each time, without partitions that
 *    have neither records nor an error nor another end than they had when they were last told of.
 * I2 a request of a session counts only when its number is the next; another one changes nothing.
 * I3 a session belongs to who began it. Sessions and their partitions are bounded: when there is no room for one, and none
 *    that nobody used for two minutes, the client gets none, and names everything as before.
 */
import type { Clock, Random } from '../base/index.ts';
import type { FetchRequest, FetchRequestTopicsPartitions } from '../wire/index.ts';

type Topics = FetchRequest['topics'];

export interface FetchSessionSettings {
  /** Kafka's `max.incremental.fetch.session.cache.slots`. */
  readonly sessionsMax: number;
  /** Of all sessions together. */
  readonly partitionsMax: number;
}

export const FETCH_SESSION_DEFAULTS: FetchSessionSettings = { sessionsMax: 1_000, partitionsMax: 200_000 };

const UNUSED_MS = 120_000;
/** Names all partitions and ends the session. */
export const FINAL_EPOCH = -1;

export type SessionError =
  | 'FETCH_SESSION_ID_NOT_FOUND'
  | 'INVALID_FETCH_SESSION_EPOCH'
  | 'FETCH_SESSION_TOPIC_ID_ERROR';

/** What a client was last told of a partition. */
interface Told {
  highWatermark: number;
  lastStableOffset: number;
  logStartOffset: number;
}

interface Entry {
  wish: FetchRequestTopicsPartitions;
  told: Told | undefined;
}

interface SessionTopic {
  readonly topic: string;
  readonly topicId: string;
  readonly entries: Map<number, Entry>;
}

export interface Answered extends Told {
  readonly partitionIndex: number;
  readonly errorCode: number;
  readonly records: readonly Uint8Array[];
}

export class FetchSession {
  readonly id: number;
  readonly owner: string;
  /** Topics go by ids from version 13 on. */
  readonly isById: boolean;
  usedMs: number;
  nextEpoch = 1;
  partitionCount = 0;
  private readonly topics = new Map<string, SessionTopic>();

  constructor(id: number, owner: string, isById: boolean, nowMs: number) {
    this.id = id;
    this.owner = owner;
    this.isById = isById;
    this.usedMs = nowMs;
  }

  /** All partitions, in the form of a request that names them. */
  wanted(): Topics {
    return [...this.topics.values()].map(({ entries, topic, topicId }) => ({
      topic,
      topicId,
      partitions: Array.from(entries.values(), ({ wish }) => wish),
    }));
  }

  want(topics: Topics): void {
    for (const { partitions, topic, topicId } of topics) {
      const key = this.isById ? topicId : topic;
      const known = this.topics.get(key) ?? { topic, topicId, entries: new Map<number, Entry>() };
      this.topics.set(key, known);
      for (const wish of partitions) {
        const entry = known.entries.get(wish.partition);
        if (entry) entry.wish = wish;
        else {
          known.entries.set(wish.partition, { wish, told: undefined });
          this.partitionCount++;
        }
      }
    }
  }

  forget(topics: FetchRequest['forgottenTopicsData']): void {
    for (const { partitions, topic, topicId } of topics) {
      const key = this.isById ? topicId : topic;
      const known = this.topics.get(key);
      for (const partition of partitions) if (known?.entries.delete(partition)) this.partitionCount--;
      if (known?.entries.size === 0) this.topics.delete(key);
    }
  }

  /** Has the client to be told of it? Then it is what it was told last. */
  isNews(topic: string, topicId: string, answer: Answered): boolean {
    const entry = this.topics.get(this.isById ? topicId : topic)?.entries.get(answer.partitionIndex);
    if (!entry) return true;
    const { errorCode, highWatermark, lastStableOffset, logStartOffset, records } = answer;
    const { told } = entry;
    const isSame =
      told?.highWatermark === highWatermark &&
      told.lastStableOffset === lastStableOffset &&
      told.logStartOffset === logStartOffset;
    // What had an error is told again when it has none.
    entry.told = errorCode === 0 ? { highWatermark, lastStableOffset, logStartOffset } : undefined;
    return records.length > 0 || errorCode !== 0 || !isSame;
  }
}

export class FetchSessions {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly settings: FetchSessionSettings;
  /** The longest unused first. */
  private readonly sessions = new Map<number, FetchSession>();
  private partitionCount = 0;

  constructor(clock: Clock, random: Random, settings: FetchSessionSettings = FETCH_SESSION_DEFAULTS) {
    this.clock = clock;
    this.random = random;
    this.settings = settings;
  }

  get size(): number {
    return this.sessions.size;
  }

  /** Undefined where there is no room. */
  open(owner: string, topics: Topics, isById: boolean): FetchSession | undefined {
    const count = topics.reduce((sum, { partitions }) => sum + partitions.length, 0);
    if (count === 0 || !this.hasRoom(count)) return undefined;
    const session = new FetchSession(this.freeId(), owner, isById, this.clock.monotonic());
    session.want(topics);
    this.sessions.set(session.id, session);
    this.partitionCount += session.partitionCount;
    return session;
  }

  close(id: number, owner: string): void {
    const session = this.sessions.get(id);
    if (session?.owner === owner) this.remove(session);
  }

  /** The session of its next request, with what that changes. */
  next(request: FetchRequest, owner: string, isById: boolean): FetchSession | SessionError {
    const session = this.sessions.get(request.sessionId);
    if (session?.owner !== owner) return 'FETCH_SESSION_ID_NOT_FOUND';
    if (request.sessionEpoch !== session.nextEpoch) return 'INVALID_FETCH_SESSION_EPOCH';
    if (session.isById !== isById) return 'FETCH_SESSION_TOPIC_ID_ERROR';
    const before = session.partitionCount;
    session.want(request.topics);
    session.forget(request.forgottenTopicsData);
    this.partitionCount += session.partitionCount - before;
    session.nextEpoch = session.nextEpoch === 2 ** 31 - 1 ? 1 : session.nextEpoch + 1;
    session.usedMs = this.clock.monotonic();
    this.sessions.delete(session.id);
    this.sessions.set(session.id, session);
    // One that grew beyond all bounds is its client's last.
    if (this.partitionCount > this.settings.partitionsMax) this.remove(session);
    return session;
  }

  private hasRoom(count: number): boolean {
    const { partitionsMax, sessionsMax } = this.settings;
    if (count > partitionsMax) return false;
    const unusedSince = this.clock.monotonic() - UNUSED_MS;
    for (const session of this.sessions.values()) {
      if (this.sessions.size < sessionsMax && this.partitionCount + count <= partitionsMax) return true;
      if (session.usedMs > unusedSince) return false;
      this.remove(session);
    }
    return true;
  }

  private remove(session: FetchSession): void {
    if (this.sessions.delete(session.id)) this.partitionCount -= session.partitionCount;
  }

  private freeId(): number {
    for (;;) {
      const id = this.random.bytes(4).reduce((sum, byte) => sum * 256 + byte, 0) % (2 ** 31 - 1);
      if (id > 0 && !this.sessions.has(id)) return id;
    }
  }
}
