/**
 * DescribeLogDirs.
 *
 * Versions: 0 to 5.
 * Behaviour: the data directory, with the bytes of each partition that is asked for, or of all: those of its batches, framing
 *   not included, as the journal's files hold all topics.
 * Not done: nothing.
 * Versions differ: the error of the whole from 3; room on the disk from 4: what is free, and what is free and used by the log;
 *   from 5 whether the directory takes no new partitions: never.
 */
import type { Partition } from '../../log/index.ts';
import { apis, errorCode } from '../../wire/index.ts';
import { defineHandler, type RequestContext, topicFor } from '../handler.ts';
import { CLUSTER_NAME } from '../security/acl.ts';

export default defineHandler({
  api: apis.describeLogDirs,
  min: 0,
  max: 5,
  handle(context, request) {
    if (!context.may('DESCRIBE', 'CLUSTER', CLUSTER_NAME))
      return { errorCode: errorCode('CLUSTER_AUTHORIZATION_FAILED'), results: [] };
    const { io, log } = context;
    const places = request.topics ?? allPlaces(context);
    let used = 0;
    const topics = places.flatMap(({ partitions, topic: name }) => {
      const found = topicFor(context, name)?.partitions ?? [];
      const described = partitions.flatMap(partitionIndex => {
        const partition = found[partitionIndex];
        if (!partition) return [];
        const partitionSize = sizeOf(context, partition);
        used += partitionSize;
        return [{ partitionIndex, partitionSize, offsetLag: 0, isFutureKey: false }];
      });
      return described.length > 0 ? [{ name, partitions: described }] : [];
    });
    const usableBytes = io.files.freeBytes(log.directory);
    return { results: [{ errorCode: 0, logDir: log.directory, topics, totalBytes: usableBytes + used, usableBytes }] };
  },
});

function allPlaces({ log, namespace }: RequestContext): { readonly topic: string; readonly partitions: number[] }[] {
  return [...log.topics()].flatMap(({ name, namespace: space, partitions }) =>
    space === namespace ? [{ topic: name, partitions: partitions.map(({ index }) => index) }] : [],
  );
}

function sizeOf({ log }: RequestContext, partition: Partition): number {
  return log.segments(partition).reduce((sum, { bytes }) => sum + bytes, 0);
}
