/** How the batches of a topic lie in the log. */
import { nodeIo } from '../../src/base/io/node.ts';
import { type Cluster, clientSettings, Consumer, makeCluster } from '../../src/client/index.ts';
import { BatchHeader } from '../../src/wire/records/index.ts';

/** Codec numbers of the stored batches. */
export async function storedCodecs(broker: string, topic: string): Promise<Set<number>> {
  const io = nodeIo();
  const cluster: Cluster = makeCluster(io, clientSettings(io, new Map([['bootstrap.servers', broker]])));
  const { leaders } = await cluster.topic(topic);
  const consumer = new Consumer(cluster);
  consumer.assign(leaders.map((_leader, partition) => ({ topic, partition, offset: -2 })));
  const codecs = new Set<number>();
  for (let i = 0; i < 20 && (codecs.size === 0 || !consumer.isAtEnd); i++) {
    for (const { batches } of await consumer.poll())
      for (const batch of batches) codecs.add(new BatchHeader(batch).codec);
  }
  await cluster.close();
  return codecs;
}
