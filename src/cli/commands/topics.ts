/** `millrace topics`: list, create, describe, alter, delete records, delete. */
import { confirm, defineCommand, keyValue, outputFlag, wholeNumber, yesFlag } from '../command.ts';
import { kafkaFlags, type KafkaOptions, withCluster } from '../kafka.ts';
import { data, type Format, listText, note } from '../output.ts';

interface ListOptions extends KafkaOptions {
  readonly output: Format;
}

const list = defineCommand<ListOptions>({
  name: 'list',
  summary: 'topics with their partitions',
  flags: [...kafkaFlags, outputFlag],
  examples: ['millrace topics list', 'millrace topics list -b broker:9092 -o ndjson'],
  run: (_args: never, options) =>
    withCluster(options, async cluster => {
      const { Admin } = await import('../../client/index.ts');
      const { topics } = await new Admin(cluster).topics();
      const rows = topics
        .map(topic => ({ topic: topic.name ?? '', partitions: topic.partitions.length }))
        .sort((a, b) => (a.topic < b.topic ? -1 : 1));
      data(listText(options.output, ['topic', 'partitions'], rows));
    }),
});

const create = defineCommand<
  KafkaOptions & { readonly partitions: number; readonly topicConfig?: readonly (readonly [string, string])[] }
>({
  name: 'create',
  summary: 'create a topic',
  arguments: [['<topic>', 'its name']],
  flags: [
    ...kafkaFlags,
    { flags: '-p, --partitions <n>', text: 'partitions', parse: wholeNumber(1), default: 1 },
    {
      flags: '--topic-config <name=value>',
      text: 'a topic config such as retention.ms=3600000',
      parse: keyValue,
      isList: true,
    },
  ],
  examples: ['millrace topics create orders -p 6 --topic-config retention.ms=86400000'],
  run: ([topic]: readonly [string], options) =>
    withCluster(options, async cluster => {
      const { Admin } = await import('../../client/index.ts');
      await new Admin(cluster).createTopic(topic, options.partitions, new Map(options.topicConfig ?? []));
      note(`created ${topic}`);
    }),
});

const describe = defineCommand<ListOptions>({
  name: 'describe',
  summary: 'offsets and configs of a topic',
  arguments: [['<topic>', 'its name']],
  flags: [...kafkaFlags, outputFlag],
  examples: ['millrace topics describe orders', 'millrace topics describe orders -o json'],
  run: ([topic]: readonly [string], options) =>
    withCluster(options, async cluster => {
      const { Admin } = await import('../../client/index.ts');
      const admin = new Admin(cluster);
      const partitions = (await admin.offsets(topic)).map(({ end, partition, start }) => ({
        partition,
        start,
        end,
        records: end - start,
      }));
      const configs = (await admin.describeConfigs(topic)).map(({ name, value }) => ({ config: name, value }));
      if (options.output === 'table') {
        data(`${listText('table', ['partition', 'start', 'end', 'records'], partitions)}\n`);
        data(listText('table', ['config', 'value'], configs));
      } else {
        const whole = {
          topic,
          partitions,
          configs: Object.fromEntries(configs.map(({ config, value }) => [config, value])),
        };
        data(`${JSON.stringify(whole, null, options.output === 'json' ? 2 : 0)}\n`);
      }
    }),
});

const alter = defineCommand<
  KafkaOptions & {
    readonly topicConfig?: readonly (readonly [string, string])[];
    readonly reset?: readonly string[];
  }
>({
  name: 'alter',
  summary: 'set configs of a topic, or give them back to their defaults',
  arguments: [['<topic>', 'its name']],
  flags: [
    ...kafkaFlags,
    {
      flags: '--topic-config <name=value>',
      text: 'a topic config such as retention.ms=3600000',
      parse: keyValue,
      isList: true,
    },
    { flags: '--reset <name>', text: 'a config that goes back to its default', isList: true },
  ],
  examples: [
    'millrace topics alter orders --topic-config retention.ms=86400000',
    'millrace topics alter orders --reset retention.ms',
  ],
  run: ([topic]: readonly [string], { reset = [], topicConfig = [], ...options }) =>
    withCluster(options, async cluster => {
      const { Admin } = await import('../../client/index.ts');
      await new Admin(cluster).alterConfigs(topic, new Map(topicConfig), reset);
      note(`altered ${topic}`);
    }),
});

const deleteRecords = defineCommand<
  ListOptions & { readonly partition?: number; readonly before?: number; readonly yes?: boolean }
>({
  name: 'delete-records',
  summary: 'delete the oldest records of a topic',
  arguments: [['<topic>', 'its name']],
  flags: [
    ...kafkaFlags,
    { flags: '-p, --partition <n>', text: 'only this partition', parse: wholeNumber(0) },
    { flags: '--before <offset>', text: 'what lies before it; everything without', parse: wholeNumber(0) },
    yesFlag,
    outputFlag,
  ],
  examples: [
    'millrace topics delete-records orders -p 0 --before 1000 --yes',
    'millrace topics delete-records orders --yes',
  ],
  run: async ([topic]: readonly [string], options) => {
    const { before, output, partition } = options;
    const what = before === undefined ? 'all records' : `the records before offset ${before}`;
    confirm(options.yes, `${what} of ${topic}${partition === undefined ? '' : `/${partition}`} go for good`);
    await withCluster(options, async cluster => {
      const { Admin } = await import('../../client/index.ts');
      const { leaders } = await cluster.topic(topic);
      const partitions = partition === undefined ? [...leaders.keys()] : [partition];
      const rows = await new Admin(cluster).deleteRecords(topic, partitions, before ?? 'end');
      data(listText(output, ['partition', 'start'], rows));
    });
  },
});

const remove = defineCommand<KafkaOptions & { readonly yes?: boolean }>({
  name: 'delete',
  summary: 'delete a topic and its records',
  arguments: [['<topic>', 'its name']],
  flags: [...kafkaFlags, yesFlag],
  examples: ['millrace topics delete orders --yes'],
  run: async ([topic]: readonly [string], options) => {
    confirm(options.yes, `deleting ${topic} removes all its records`);
    await withCluster(options, async cluster => {
      const { Admin } = await import('../../client/index.ts');
      await new Admin(cluster).deleteTopic(topic);
      note(`deleted ${topic}`);
    });
  },
});

export default defineCommand<object>({
  name: 'topics',
  summary: 'topics of a cluster',
  commands: [list, create, describe, alter, deleteRecords, remove],
});
