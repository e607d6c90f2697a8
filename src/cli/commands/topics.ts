/** `millrace topics`: list, create, describe, delete. */
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
  commands: [list, create, describe, remove],
});
