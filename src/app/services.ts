/** What pipelines get from the process: the embedded log, dead letters in a topic, checkpoints in a state table. */
import { type Io, nearest } from '../base/index.ts';
import type { Coordination } from '../coordination/index.ts';
import { appendRefusal, appendTimeOf, BROKER_DEFAULTS, TopicMaker } from '../broker/index.ts';
import { type Log, logErrors, type Partition, type StateChange, type Topic } from '../log/index.ts';
import { serviceErrors } from './engine/errors.ts';
import type {
  Checkpoint,
  CheckpointStore,
  DeadLetter,
  DeadLetterStore,
  EmbeddedLog,
  LogLocation,
  LogPosition,
} from '../sdk/index.ts';
import { DEAD_LETTER_TOPIC } from './dead-letter-topic.ts';
import { RecordBatchBuilder, type RecordHeaders } from '../wire/records/index.ts';

const NAMESPACE = '';
const CHECKPOINTS = 'checkpoints';

/** How topics that a pipeline names and that do not exist are made. */
export interface TopicCreation {
  readonly isAllowed: boolean;
  readonly partitions: number;
  /** Of all topics together. */
  readonly partitionsMax?: number;
}

export function embeddedLogOf(
  io: Io,
  log: Log,
  coordination: Coordination,
  creation: TopicCreation = { isAllowed: true, partitions: 1 },
): EmbeddedLog {
  const find = (topic: string, partition: number): Partition | undefined =>
    log.topic(NAMESPACE, topic)?.partitions[partition];
  const partitionOf = (topic: string, partition: number): Partition => {
    const found = find(topic, partition);
    if (!found) throw logErrors.topicGone({ topic: `${topic}/${partition}` });
    return found;
  };
  const maker = new TopicMaker(log, { partitionsMax: creation.partitionsMax ?? BROKER_DEFAULTS.partitionsMax });
  const look = ({ offset, partition, readsUncommitted, topic }: LogPosition, bytesMax: number): LogLocation => {
    const found = find(topic, partition);
    if (!found) return { extents: [], startOffset: 0, endOffset: 0, isGone: true };
    const endOffset = readsUncommitted ? found.syncedEnd : found.lastStableOffset;
    const isReadable = bytesMax > 0 && offset >= found.startOffset && offset < endOffset;
    return {
      extents: isReadable ? log.locate(found, offset, bytesMax, endOffset) : [],
      topicId: log.topic(NAMESPACE, topic)!.id,
      startOffset: found.startOffset,
      endOffset,
      ...(!readsUncommitted && { aborted: found.transactions.abortedIn(offset, endOffset) }),
    };
  };
  /** Something to be told at the position: data, or that it is not one any more. */
  const isNews = ({ endOffset, extents, isGone, startOffset }: LogLocation, { offset }: LogPosition): boolean =>
    extents.length > 0 || isGone === true || offset < startOffset || offset > endOffset;
  const untilNews = (at: readonly LogPosition[], waitMs: number): Promise<void> =>
    new Promise(resolve => {
      const forgets: (() => void)[] = [];
      const done = (): void => {
        timer.cancel();
        for (const forget of forgets) forget();
        resolve();
      };
      const timer = io.clock.after(waitMs, done);
      for (const { offset, partition, topic } of at) {
        const found = find(topic, partition);
        if (found) forgets.push(found.whenBehind(offset, done));
      }
    });
  return {
    partitions: topic => Promise.resolve(log.topic(NAMESPACE, topic)?.partitions.length),
    topics: () =>
      Promise.resolve([...log.topics()].filter(topic => topic.namespace === NAMESPACE).map(topic => topic.name)),
    locate: async (at, bytesMax, waitMs) => {
      const found = at.map(position => look(position, bytesMax));
      if (waitMs === 0 || found.some((location, i) => isNews(location, at[i]!))) return found;
      await untilNews(at, waitMs);
      return at.map(position => look(position, bytesMax));
    },
    offsetForTime: (topic, partition, ms) => {
      const found = partitionOf(topic, partition);
      return Promise.resolve(log.offsetForTime(found, ms)?.offset ?? found.syncedEnd);
    },
    append: async (topic, partition, batch) => {
      const found = partitionOf(topic, partition);
      const now = io.clock.now();
      const refusal = appendRefusal(found.topic, batch, now);
      if (refusal) return refusal.join(': ');
      await log.append(found, batch, undefined, appendTimeOf(found.topic, now));
      return undefined;
    },
    partitionsFor: async (topic, mayCreate) => {
      const found = log.topic(NAMESPACE, topic);
      if (found) return found.isInternal ? `topic ${topic} is internal` : found.partitions.length;
      if (!creation.isAllowed || !mayCreate) return `topic ${topic} does not exist${hintFor(topic, log)}`;
      const refusal = maker.refusal(NAMESPACE, topic, creation.partitions);
      if (refusal) return refusal.join(': ');
      return (await maker.make(NAMESPACE, topic, creation.partitions)).partitions.length;
    },
    createTopic: async (topic, partitions = creation.partitions) => {
      if (log.topic(NAMESPACE, topic)) return;
      if (!creation.isAllowed) throw serviceErrors.noTopic({ topic, hint: hintFor(topic, log) });
      await log.createTopic(NAMESPACE, topic, partitions);
    },
    committed: (group, topic) => {
      const offsets = coordination.allCommitted(NAMESPACE, group).filter(entry => entry.topic === topic);
      return Promise.resolve(new Map(offsets.map(({ offset, partition }) => [partition, offset.offset])));
    },
    commit: async (group, offsets) => {
      const isThere = ({ topic, topicId }: LogPosition): boolean => {
        const found = log.topic(NAMESPACE, topic);
        return found !== undefined && (topicId === undefined || topicId === found.id);
      };
      const kept = offsets
        .filter(isThere)
        .map(({ offset, partition, topic }) => ({ topic, partition, offset, leaderEpoch: 0, metadata: null }));
      if (kept.length > 0) await coordination.store(NAMESPACE, group, kept);
    },
  };
}

function hintFor(topic: string, log: Log): string {
  const names = [...log.topics()].filter(({ namespace }) => namespace === NAMESPACE).map(({ name }) => name);
  const near = nearest(topic, names);
  return near === undefined ? '' : `; did you mean ${near}?`;
}

/**
 * `topicOf`: where a pipeline wants its letters, if not with all others. They stand in the first partition, in the order in
 * which they were refused.
 */
export function deadLettersOf(
  log: Log,
  creation: TopicCreation,
  topicOf: (pipelineId: string) => string | undefined,
): DeadLetterStore {
  const find = async (name: string): Promise<Topic> => {
    const found = log.topic(NAMESPACE, name);
    if (found) return found;
    if (name === DEAD_LETTER_TOPIC) return log.createTopic(NAMESPACE, name, 1);
    if (!creation.isAllowed) throw serviceErrors.noTopic({ topic: name, hint: hintFor(name, log) });
    return log.createTopic(NAMESPACE, name, creation.partitions);
  };
  return {
    write: async letters => {
      if (letters.length === 0) return;
      const topic = await find(topicOf(letters[0]!.pipelineId) ?? DEAD_LETTER_TOPIC);
      const builder = new RecordBatchBuilder();
      for (const letter of letters) builder.append(letter.timeMs, letter.key, letter.value, headersOf(letter));
      await log.append(topic.partitions[0]!, builder.finish());
    },
  };
}

function headersOf(letter: DeadLetter): RecordHeaders {
  const own: [string, string | undefined][] = [
    ['millrace.pipeline', letter.pipelineId],
    ['millrace.stage', letter.stageId],
    ['millrace.code', letter.code],
    ['millrace.message', letter.message],
    ['millrace.origin', letter.origin],
    ['millrace.position', letter.position === undefined ? undefined : String(letter.position)],
    ['millrace.time', new Date(letter.timeMs).toISOString()],
  ];
  const added = own.flatMap(([name, text]) => (text === undefined ? [] : [[name, Buffer.from(text)] as const]));
  return [...letter.headers, ...added];
}

/** `also` gives what is written with a checkpoint, in the same frame. */
export function checkpointsOf(log: Log, also: (pipelineId: string) => readonly StateChange[]): CheckpointStore {
  return {
    load: pipelineId => {
      const stored = log.states.get(CHECKPOINTS, pipelineId);
      return Promise.resolve(stored && (JSON.parse(Buffer.from(stored).toString()) as Checkpoint));
    },
    save: (pipelineId, checkpoint) => {
      const value = Buffer.from(JSON.stringify(checkpoint));
      return log.change([{ table: CHECKPOINTS, key: pipelineId, value }, ...also(pipelineId)]);
    },
  };
}
