/** Commands over the Kafka protocol: topics, groups, produce, consume. They work against any cluster. */
import { createInterface } from 'node:readline';
import { nodeIo } from '../../base/io/node.ts';
import {
  Admin,
  type Cluster,
  clientSettings,
  committedOffsets,
  Consumer,
  makeCluster,
  Producer,
} from '../../client/index.ts';
import { RecordCursor } from '../../wire/records/index.ts';
import { note, table } from '../output.ts';

interface BrokerOptions {
  readonly brokers: string;
}

async function withCluster(options: BrokerOptions, use: (cluster: Cluster) => Promise<void>): Promise<void> {
  const io = nodeIo();
  const cluster = makeCluster(io, clientSettings(io, new Map([['bootstrap.servers', options.brokers]])));
  try {
    await use(cluster);
  } finally {
    await cluster.close();
  }
}

function print(rows: readonly (readonly string[])[]): void {
  process.stdout.write(`${table(rows)}\n`);
}

export function listTopics(options: BrokerOptions): Promise<void> {
  return withCluster(options, async cluster => {
    const { topics } = await new Admin(cluster).topics();
    const rows = topics
      .map(topic => [topic.name ?? '', String(topic.partitions.length)])
      .sort((a, b) => a[0]!.localeCompare(b[0]!));
    print([['TOPIC', 'PARTITIONS'], ...rows]);
  });
}

export function createTopic(
  topic: string,
  options: BrokerOptions & { readonly partitions: string; readonly config?: readonly string[] },
): Promise<void> {
  return withCluster(options, async cluster => {
    const configs = new Map((options.config ?? []).map(entry => entry.split(/=(.*)/s).slice(0, 2) as [string, string]));
    await new Admin(cluster).createTopic(topic, Number(options.partitions), configs);
    note(`created ${topic}`);
  });
}

export function describeTopic(topic: string, options: BrokerOptions): Promise<void> {
  return withCluster(options, async cluster => {
    const admin = new Admin(cluster);
    const offsets = await admin.offsets(topic);
    const rows = offsets.map(({ end, partition, start }) => [partition, start, end, end - start].map(String));
    print([['PARTITION', 'START', 'END', 'RECORDS'], ...rows]);
    const configs = await admin.describeConfigs(topic);
    print([['CONFIG', 'VALUE'], ...configs.map(({ name, value }) => [name, value ?? ''])]);
  });
}

export function deleteTopic(topic: string, options: BrokerOptions & { readonly yes?: boolean }): Promise<void> {
  if (!options.yes) return refuse(`deleting ${topic} cannot be undone; say --yes`);
  return withCluster(options, async cluster => {
    await new Admin(cluster).deleteTopic(topic);
    note(`deleted ${topic}`);
  });
}

export function listGroups(options: BrokerOptions): Promise<void> {
  return withCluster(options, async cluster => {
    const groups = await new Admin(cluster).groups();
    print([
      ['GROUP', 'STATE', 'PROTOCOL'],
      ...groups.map(group => [group.groupId, group.groupState, group.protocolType]),
    ]);
  });
}

export function describeGroup(group: string, options: BrokerOptions): Promise<void> {
  return withCluster(options, async cluster => {
    const admin = new Admin(cluster);
    const described = await admin.describeGroup(group);
    note(`${group}: ${described.groupState}, ${described.members.length} members`);
    const { topics } = await admin.topics();
    const rows: string[][] = [];
    for (const topic of topics) {
      const name = topic.name ?? '';
      const committed = await committedOffsets(
        cluster,
        group,
        topic.partitions.map(entry => ({ topic: name, partition: entry.partitionIndex })),
      );
      if (committed.every(offset => offset < 0)) continue;
      for (const { end, partition, start } of await admin.offsets(name)) {
        const offset = committed[partition] ?? -1;
        if (offset >= 0)
          rows.push([name, ...[partition, offset, end, Math.max(0, end - Math.max(offset, start))].map(String)]);
      }
    }
    print([['TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG'], ...rows]);
  });
}

export function deleteGroup(group: string, options: BrokerOptions & { readonly yes?: boolean }): Promise<void> {
  if (!options.yes) return refuse(`deleting ${group} forgets its offsets; say --yes`);
  return withCluster(options, async cluster => {
    await new Admin(cluster).deleteGroup(group);
    note(`deleted ${group}`);
  });
}

export function produce(topic: string, options: BrokerOptions & { readonly keySeparator?: string }): Promise<void> {
  return withCluster(options, async cluster => {
    const producer = new Producer(cluster);
    await producer.prepare(topic);
    let acknowledged = 0;
    let failure: Error | undefined;
    for await (const line of createInterface({ input: process.stdin })) {
      const at = options.keySeparator === undefined ? -1 : line.indexOf(options.keySeparator);
      const key = at < 0 ? null : Buffer.from(line.slice(0, at));
      const value = Buffer.from(at < 0 ? line : line.slice(at + options.keySeparator!.length));
      const hasRoom = producer.append(topic, undefined, { key, value }, (tags, error) => {
        if (error) failure = error;
        else acknowledged += tags.length;
      });
      if (!hasRoom) await new Promise<void>(resolve => producer.whenWritable(resolve));
    }
    await producer.close();
    note(`${acknowledged} records acknowledged`);
    if (failure) throw failure;
  });
}

export function consume(
  topic: string,
  options: BrokerOptions & { readonly from: string; readonly count?: string; readonly exit?: boolean },
): Promise<void> {
  return withCluster(options, async cluster => {
    const { leaders } = await cluster.topic(topic);
    const offset = options.from === 'beginning' ? -2 : options.from === 'end' ? -3 : Number(options.from);
    const consumer = new Consumer(cluster);
    consumer.assign(leaders.map((_leader, partition) => ({ topic, partition, offset })));
    const limit = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
    let shown = 0;
    let isStopped = false;
    process.on('SIGINT', () => {
      isStopped = true;
    });
    const cursor = new RecordCursor();
    while (!isStopped && shown < limit) {
      const fetched = await consumer.poll();
      for (const { batches, fromOffset } of fetched) {
        for (const batch of batches) {
          cursor.open(batch);
          while (shown < limit && cursor.advance()) {
            if (cursor.offset < fromOffset) continue;
            process.stdout.write(`${cursor.value === null ? '' : Buffer.from(cursor.value).toString('utf8')}\n`);
            shown++;
          }
        }
      }
      if (options.exit && fetched.length === 0 && consumer.isAtEnd) break;
    }
  });
}

function refuse(reason: string): Promise<void> {
  note(reason);
  process.exitCode = 2;
  return Promise.resolve();
}
