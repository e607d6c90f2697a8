/** What members of classic consumer groups say to each other, for the coordinator, which knows no layouts. */
import { MillraceError } from '../base/index.ts';
import type { MemberFormats } from '../coordination/index.ts';
import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  Reader,
  Writer,
} from '../wire/index.ts';

/** A later version only adds at the end. */
const VERSION_MAX = 3;
/** Every client can read it. */
const WRITTEN_VERSION = 0;

export const consumerFormats: MemberFormats = {
  subscription: metadata =>
    read(metadata, (reader, version) => {
      const { ownedPartitions, rackId, topics } = decodeConsumerProtocolSubscription(reader, version);
      return { topics, owned: flat(ownedPartitions), rackId };
    }),
  assignment: bytes =>
    read(bytes, (reader, version) => flat(decodeConsumerProtocolAssignment(reader, version).assignedPartitions)),
  writeAssignment: partitions => {
    const topics = new Map<string, number[]>();
    for (const [topic, partition] of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
    const assignedPartitions = [...topics].map(([topic, numbers]) => ({ topic, partitions: numbers }));
    const writer = new Writer();
    writer.int16(WRITTEN_VERSION);
    encodeConsumerProtocolAssignment(writer, { assignedPartitions, userData: null }, WRITTEN_VERSION);
    return Buffer.concat(writer.finish());
  },
};

function read<T>(bytes: Uint8Array, decode: (reader: Reader, version: number) => T): T | undefined {
  try {
    const reader = new Reader(bytes);
    return decode(reader, Math.min(reader.int16(), VERSION_MAX));
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return undefined;
  }
}

function flat(
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
): (readonly [topic: string, partition: number])[] {
  return topics.flatMap(({ partitions, topic }) => partitions.map(partition => [topic, partition] as const));
}
