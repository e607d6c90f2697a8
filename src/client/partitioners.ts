/**
 * Which partition a record goes to, by librdkafka's names. Records without a key stay on one random partition for a while,
 * so that batches grow.
 *
 *   consistent_random   CRC-32 of the key (librdkafka's default)
 *   murmur2_random      murmur2 of the key (the Java client's default)
 *   random              no look at the key
 */
import { crc32 } from 'node:zlib';
import type { Random } from '../base/index.ts';

export type Partitioner = (key: Uint8Array | null, partitions: number) => number;

const STICKY_RECORDS = 1_000;

function sticky(random: Random): (partitions: number) => number {
  let current = 0;
  let left = 0;
  return partitions => {
    if (left-- <= 0 || current >= partitions) {
      current = Math.floor(random.float() * partitions);
      left = STICKY_RECORDS;
    }
    return current;
  };
}

function keyed(hash: (key: Uint8Array) => number): (random: Random) => Partitioner {
  return random => {
    const any = sticky(random);
    return (key, partitions) => (key === null ? any(partitions) : hash(key) % partitions);
  };
}

/** 32-bit murmur2 with Kafka's seed; the sign bit is cut off, as the Java client does. */
export function murmur2(key: Uint8Array): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ key.length;
  let i = 0;
  for (; i + 4 <= key.length; i += 4) {
    let k = key[i]! | (key[i + 1]! << 8) | (key[i + 2]! << 16) | (key[i + 3]! << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    k = Math.imul(k, m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = key.length - i;
  if (rest >= 3) h ^= key[i + 2]! << 16;
  if (rest >= 2) h ^= key[i + 1]! << 8;
  if (rest >= 1) h = Math.imul(h ^ key[i]!, m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return (h ^ (h >>> 15)) & 0x7fff_ffff;
}

export const partitioners = {
  consistent_random: keyed(key => crc32(key)),
  murmur2_random: keyed(murmur2),
  random: (random: Random): Partitioner => {
    const any = sticky(random);
    return (_key, partitions) => any(partitions);
  },
};
