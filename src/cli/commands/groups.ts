/** `millrace groups`: list, describe (members and lag), reset offsets, delete. */
import type { Admin, Cluster, GroupDescription } from '../../client/index.ts';
import { BadValue, confirm, defineCommand, outputFlag, yesFlag } from '../command.ts';
import { cliErrors } from '../errors.ts';
import { kafkaFlags, type KafkaOptions, withCluster } from '../kafka.ts';
import { newOffset, type PartitionState, type ResetTarget, resetTarget, topicChoice } from '../offset-reset.ts';
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
        .map(({ groupId, groupState, groupType, protocolType }) => ({
          group: groupId,
          state: groupState ?? '',
          type: groupType ?? '',
          protocol: protocolType,
        }))
        .sort((a, b) => (a.group < b.group ? -1 : 1));
      data(listText(options.output, ['group', 'state', 'type', 'protocol'], rows));
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
      const found = await described(cluster, admin, group);
      const owners = new Map<string, string>();
      for (const { memberId, partitions } of found.members)
        for (const { partition, topic } of partitions ?? []) owners.set(`${topic}/${partition}`, memberId);
      const read = new Set([...owners.keys()].map(place => place.slice(0, place.lastIndexOf('/'))));
      const offsets = (await states(cluster, admin, group, read))
        .filter(({ committed, partition, topic }) => committed >= 0 || owners.has(`${topic}/${partition}`))
        .map(({ committed, end, partition, start, topic }) => ({
          topic,
          partition,
          committed: committed < 0 ? null : committed,
          end,
          // What lies between the committed offset, or the first one kept, and the end.
          lag: Math.max(0, end - Math.max(committed, start)),
          member: owners.get(`${topic}/${partition}`) ?? null,
        }));
      if (options.output === 'table') describeInTables(group, found, offsets);
      else data(`${JSON.stringify({ group, ...found, offsets }, null, options.output === 'json' ? 2 : 0)}\n`);
    }),
});

interface ResetOptions extends ListOptions {
  readonly to: string;
  readonly topic?: readonly ReturnType<typeof topicChoice>[];
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const reset = defineCommand<ResetOptions>({
  name: 'reset',
  summary: 'put the committed offsets of a group somewhere else',
  description:
    'Shows each offset as it is and as it will be, within what the partition holds. The group must have no members.',
  arguments: [['<group>', 'its id']],
  flags: [
    ...kafkaFlags,
    {
      flags: '--to <where>',
      text: 'earliest, latest, an offset, a shift (+100, -100), an age (-15m: s, m, h, d) or a time (RFC 3339)',
      default: 'earliest',
    },
    {
      flags: '--topic <topic[:partitions]>',
      text: 'only this topic, or partitions of it (orders:0,2); default: all that the group has offsets of',
      parse: topicChoice,
      isList: true,
    },
    { flags: '--dry-run', text: 'only show what would be' },
    yesFlag,
    outputFlag,
  ],
  examples: [
    'millrace groups reset billing --to -1h --dry-run',
    'millrace groups reset billing --to earliest --topic orders:0 --yes',
    'millrace groups reset billing --to=-100 --yes',
  ],
  run: ([group]: readonly [string], options) =>
    withCluster(options, async (cluster, io) => {
      const { Admin, commitOffsets } = await import('../../client/index.ts');
      const target = targetOf(options.to, io.clock.now());
      const admin = new Admin(cluster);
      const { members, state } = await described(cluster, admin, group);
      if (members.length > 0) throw cliErrors.groupActive({ group, state, members: members.length });
      const named = new Set(options.topic?.map(({ topic }) => topic));
      const found = await states(cluster, admin, group, named);
      const plan = await planned(cluster, chosen(found, options.topic), target);
      data(listText(options.output, ['topic', 'partition', 'committed', 'new', 'change'], plan));
      const changes = plan.filter(({ change }) => change !== 0);
      if (changes.length === 0) note('nothing to change');
      if (options.dryRun || changes.length === 0) return;
      confirm(options.yes, `this changes ${changes.length} offsets of ${group}`);
      const offsets = changes.map(({ new: offset, partition, topic }) => ({ topic, partition, offset }));
      // Somebody came meanwhile.
      if (!(await commitOffsets(cluster, group, offsets)))
        throw cliErrors.groupActive({ group, ...(await membership(cluster, admin, group)) });
      note(`reset ${changes.length} offsets of ${group}`);
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

function targetOf(text: string, nowMs: number): ResetTarget {
  try {
    return resetTarget(text, nowMs);
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    throw cliErrors.badValue({ flag: '--to', value: text, reason: error.message }, error);
  }
}

async function expectGroup(admin: Admin, group: string): Promise<{ readonly groupType?: string }> {
  const found = (await admin.groups()).find(({ groupId }) => groupId === group);
  if (!found) throw cliErrors.noSuchGroup({ group });
  return found;
}

async function described(cluster: Cluster, admin: Admin, group: string): Promise<GroupDescription> {
  const { describeGroup } = await import('../../client/index.ts');
  const { groupType = '' } = await expectGroup(admin, group);
  return describeGroup(cluster, group, groupType);
}

async function membership(cluster: Cluster, admin: Admin, group: string): Promise<{ state: string; members: number }> {
  const { members, state } = await described(cluster, admin, group);
  return { state, members: members.length };
}

function describeInTables(group: string, { assignor, members, state, type }: GroupDescription, offsets: Row[]): void {
  const by = assignor === '' ? '' : `, shared out by ${assignor}`;
  note(`${group}: ${state}, ${type}${by}, ${members.length} ${members.length === 1 ? 'member' : 'members'}`);
  if (members.length > 0) {
    const rows = members.map(({ clientHost, clientId, instanceId, memberId, partitions }) => ({
      member: memberId,
      instance: instanceId,
      client: clientId,
      host: clientHost,
      partitions: partitions?.length ?? null,
    }));
    data(`${listText('table', ['member', 'instance', 'client', 'host', 'partitions'], rows)}\n`);
  }
  data(listText('table', ['topic', 'partition', 'committed', 'end', 'lag', 'member'], offsets));
}

/** Every partition of the topics that the group has committed anything of, and of those named besides. */
async function states(
  cluster: Cluster,
  admin: Admin,
  group: string,
  besides: ReadonlySet<string>,
): Promise<PartitionState[]> {
  const { committedOffsets } = await import('../../client/index.ts');
  const { topics } = await admin.topics();
  const places = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex: partition }) => ({ topic: name ?? '', partition })),
  );
  const found = await committedOffsets(cluster, group, places);
  const committed = new Map(places.map(({ partition, topic }, i) => [`${topic}/${partition}`, found[i]!]));
  const names = new Set(places.filter((_place, i) => found[i]! >= 0).map(({ topic }) => topic));
  const rows: PartitionState[] = [];
  for (const { name } of topics) {
    const topic = name ?? '';
    if (!names.has(topic) && !besides.has(topic)) continue;
    for (const { end, partition, start } of await admin.offsets(topic))
      rows.push({ topic, partition, committed: committed.get(`${topic}/${partition}`) ?? -1, start, end });
  }
  return rows;
}

function chosen(all: readonly PartitionState[], choices: ResetOptions['topic'] = []): PartitionState[] {
  if (choices.length === 0) return all.filter(({ committed }) => committed >= 0);
  return choices.flatMap(({ partitions, topic }) => {
    const ofTopic = all.filter(state => state.topic === topic);
    const missing = partitions.find(partition => !ofTopic.some(state => state.partition === partition));
    if (ofTopic.length === 0 || missing !== undefined) {
      const value = missing === undefined ? topic : `${topic}:${missing}`;
      throw cliErrors.badValue({ flag: '--topic', value, reason: 'there is no such topic or partition' });
    }
    return partitions.length === 0 ? ofTopic : ofTopic.filter(({ partition }) => partitions.includes(partition));
  });
}

async function planned(cluster: Cluster, partitions: readonly PartitionState[], target: ResetTarget) {
  const { offsetFor } = await import('../../client/index.ts');
  return Promise.all(
    partitions.map(async state => {
      const offset = await newOffset(state, target, (...of) => offsetFor(cluster, ...of));
      const { committed, partition, topic } = state;
      const change = committed < 0 ? null : offset - committed;
      return { topic, partition, committed: committed < 0 ? null : committed, new: offset, change };
    }),
  );
}

export default defineCommand<object>({
  name: 'groups',
  summary: 'consumer groups',
  commands: [list, describe, reset, remove],
});
