/**
 * DeleteRecords.
 *
 * Versions: 0 to 2.
 * Behaviour: what lies before the offset cannot be read any more, durably; -1 means everything there is. An offset beyond the
 *   end is 1. What was deleted before stays so: the answer says where the partition begins. Internal topics are 29.
 * Not done: the time-out: the answer comes with the sync.
 * Versions differ: only in their layout.
 */
import type { Partition } from '../../log/index.ts';
import { apis, errorCode, type ErrorName } from '../../wire/index.ts';
import { nameOf } from '../answers.ts';
import { defineHandler, type RequestContext, topicFor, topicName } from '../handler.ts';

const EVERYTHING = -1;

export default defineHandler({
  api: apis.deleteRecords,
  min: 0,
  max: 2,
  async handle(context, request) {
    const topics = await Promise.all(
      request.topics.map(async ({ name, partitions }) => ({
        name,
        partitions: await Promise.all(
          partitions.map(async ({ offset, partitionIndex }) => {
            const partition = topicFor(context, name)?.partitions[partitionIndex];
            const error = refusal(context, name, partition) ?? (await cut(context, partition!, offset));
            const lowWatermark = error === 'NONE' ? partition!.startOffset : -1;
            return { partitionIndex, lowWatermark, errorCode: errorCode(error) };
          }),
        ),
      })),
    );
    return { topics };
  },
});

function refusal(context: RequestContext, name: string, partition: Partition | undefined): ErrorName | undefined {
  if (!context.may('DELETE', 'TOPIC', topicName(context, name))) return 'TOPIC_AUTHORIZATION_FAILED';
  if (!partition) return 'UNKNOWN_TOPIC_OR_PARTITION';
  return partition.topic.isInternal ? 'TOPIC_AUTHORIZATION_FAILED' : undefined;
}

async function cut(context: RequestContext, partition: Partition, offset: number): Promise<ErrorName> {
  const wanted = offset === EVERYTHING ? partition.syncedEnd : offset;
  if (wanted < 0 || wanted > partition.syncedEnd) return 'OFFSET_OUT_OF_RANGE';
  try {
    await context.log.setLogStart(partition, wanted);
    return 'NONE';
  } catch (error) {
    return nameOf(context, error, ['OFFSET_OUT_OF_RANGE', 'UNKNOWN_TOPIC_OR_PARTITION', 'KAFKA_STORAGE_ERROR']);
  }
}
