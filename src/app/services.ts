/** What pipelines get from the process: the embedded log, dead letters in a topic, checkpoints in a state table. */
import type { Io } from '../base/index.ts';
import type { Coordination } from '../coordination/index.ts';
import { type Log, logErrors, type Partition, type StateChange } from '../log/index.ts';
import type {
  Checkpoint,
  CheckpointStore,
  DeadLetter,
  DeadLetterStore,
  EmbeddedLog,
  LogLocation,
  LogPosition,
} from '../sdk/index.ts';
import { RecordBatchBuilder, type RecordHeaders } from '../wire/records/index.ts';

export const DEAD_LETTER_TOPIC = '__millrace_dead_letters';
const NAMESPACE = '';
const CHECKPOINTS = 'checkpoints';

export function embeddedLogOf(io: Io, log: Log, coordination: Coordination): EmbeddedLog {
  const partitionOf = (topic: string, partition: number): Partition => {
    const found = log.topic(NAMESPACE, topic)?.partitions[partition];
    if (!found) throw logErrors.topicGone({ topic: `${topic}/${partition}` });
    return found;
  };
  const look = (at: LogPosition, bytesMax: number): LogLocation => {
    const partition = partitionOf(at.topic, at.partition);
    const isReadable = bytesMax > 0 && at.offset >= partition.startOffset;
    return {
      extents: isReadable ? log.locate(partition, at.offset, bytesMax) : [],
      startOffset: partition.startOffset,
      endOffset: partition.syncedEnd,
    };
  };
  return {
    partitions: topic => Promise.resolve(log.topic(NAMESPACE, topic)?.partitions.length),
    topics: () =>
      Promise.resolve([...log.topics()].filter(topic => topic.namespace === NAMESPACE).map(topic => topic.name)),
    locate: async (at, bytesMax, waitMs) => {
      const found = look(at, bytesMax);
      if (found.extents.length > 0 || waitMs === 0 || at.offset < found.startOffset) return found;
      await new Promise<void>(resolve => {
        const timer = io.clock.after(waitMs, () => {
          forget();
          resolve();
        });
        const forget = partitionOf(at.topic, at.partition).whenBehind(at.offset, () => {
          timer.cancel();
          resolve();
        });
      });
      return look(at, bytesMax);
    },
    offsetForTime: (topic, partition, ms) => {
      const found = partitionOf(topic, partition);
      return Promise.resolve(log.offsetForTime(found, ms)?.offset ?? found.syncedEnd);
    },
    append: async (topic, partition, batch) => {
      await log.append(partitionOf(topic, partition), batch);
    },
    createTopic: async (topic, partitions) => {
      if (!log.topic(NAMESPACE, topic)) await log.createTopic(NAMESPACE, topic, partitions);
    },
    committed: (group, topic) => {
      const offsets = coordination.allCommitted(NAMESPACE, group).filter(entry => entry.topic === topic);
      return Promise.resolve(new Map(offsets.map(({ offset, partition }) => [partition, offset.offset])));
    },
    commit: (group, offsets) =>
      coordination.store(
        NAMESPACE,
        group,
        offsets.map(entry => ({ ...entry, leaderEpoch: 0, metadata: null })),
      ),
  };
}

export function deadLettersOf(log: Log): DeadLetterStore {
  return {
    write: async letters => {
      const topic = log.topic(NAMESPACE, DEAD_LETTER_TOPIC) ?? (await log.createTopic(NAMESPACE, DEAD_LETTER_TOPIC, 1));
      const builder = new RecordBatchBuilder();
      for (const letter of letters) builder.append(letter.timeMs, letter.key, letter.value, headersOf(letter));
      if (builder.recordCount > 0) await log.append(topic.partitions[0]!, builder.finish());
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
