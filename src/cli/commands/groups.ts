/** `millrace groups`: list, describe (with lag), delete. */
import type { Admin, Cluster } from '../../client/index.ts';
import { confirm, defineCommand, outputFlag, yesFlag } from '../command.ts';
import { cliErrors } from '../errors.ts';
import { kafkaFlags, type KafkaOptions, withCluster } from '../kafka.ts';
import { data, type Format, listText, note, type Row } from '../output.ts';

interface ListOptions extends KafkaOptions {
  readonly output: Format;
}

const list = defineCommand<ListOptions>({
  name: 'list',
  summary: 'consumer groups and their states',
  flags: [...kafkaFlags, outputFlag],
  examples: ['millrace groups list'],
  run: (_args: never, options) =>
    withCluster(options, async cluster => {
      const { Admin } = await import('../../client/index.ts');
      const rows = (await new Admin(cluster).groups())
        .map(({ groupId, groupState, protocolType }) => ({
          group: groupId,
          state: groupState ?? '',
          protocol: protocolType,
        }))
        .sort((a, b) => (a.group < b.group ? -1 : 1));
      data(listText(options.output, ['group', 'state', 'protocol'], rows));
    }),
});

const describe = defineCommand<ListOptions>({
  name: 'describe',
  summary: 'members, committed offsets and lag of a group',
  arguments: [['<group>', 'its id; a pipeline that reads the embedded log has its own id as group']],
  flags: [...kafkaFlags, outputFlag],
  examples: ['millrace groups describe high-severity', 'millrace groups describe billing -o json'],
  run: ([group]: readonly [string], options) =>
    withCluster(options, async cluster => {
      const { Admin } = await import('../../client/index.ts');
      const admin = new Admin(cluster);
      await expectGroup(admin, group);
      const { groupState: state, members } = await admin.describeGroup(group);
      const offsets = await committed(cluster, admin, group);
      if (options.output === 'table') {
        note(`${group}: ${state}, ${members.length} members`);
        data(listText('table', ['topic', 'partition', 'committed', 'end', 'lag'], offsets));
      } else {
        const whole = {
          group,
          state,
          members: members.map(({ clientHost, clientId, memberId }) => ({ memberId, clientId, clientHost })),
          offsets,
        };
        data(`${JSON.stringify(whole, null, options.output === 'json' ? 2 : 0)}\n`);
      }
    }),
});

const remove = defineCommand<KafkaOptions & { readonly yes?: boolean }>({
  name: 'delete',
  summary: 'delete a group with its offsets',
  arguments: [['<group>', 'its id; it must have no members']],
  flags: [...kafkaFlags, yesFlag],
  examples: ['millrace groups delete billing --yes'],
  run: async ([group]: readonly [string], options) => {
    confirm(options.yes, `deleting ${group} forgets its offsets`);
    await withCluster(options, async cluster => {
      const { Admin } = await import('../../client/index.ts');
      const admin = new Admin(cluster);
      await expectGroup(admin, group);
      await admin.deleteGroup(group);
      note(`deleted ${group}`);
    });
  },
});

async function expectGroup(admin: Admin, group: string): Promise<void> {
  if (!(await admin.groups()).some(({ groupId }) => groupId === group)) throw cliErrors.noSuchGroup({ group });
}

/** Lag is what lies between the committed offset, or the first one kept, and the end. */
async function committed(cluster: Cluster, admin: Admin, group: string): Promise<Row[]> {
  const { committedOffsets } = await import('../../client/index.ts');
  const { topics } = await admin.topics();
  const rows: Row[] = [];
  for (const topic of topics) {
    const name = topic.name ?? '';
    const indexes = topic.partitions.map(entry => entry.partitionIndex);
    const found = await committedOffsets(
      cluster,
      group,
      indexes.map(partition => ({ topic: name, partition })),
    );
    if (found.every(offset => offset < 0)) continue;
    const offsetOf = new Map(indexes.map((partition, i) => [partition, found[i]!]));
    for (const { end, partition, start } of await admin.offsets(name)) {
      const offset = offsetOf.get(partition) ?? -1;
      if (offset < 0) continue;
      const lag = Math.max(0, end - Math.max(offset, start));
      rows.push({ topic: name, partition, committed: offset, end, lag });
    }
  }
  return rows;
}

export default defineCommand<object>({
  name: 'groups',
  summary: 'consumer groups',
  commands: [list, describe, remove],
});
