/** A member of a classic group that a test moves step by step over the wire, in any versions. */
import { apis, type JoinGroupResponse, type SyncGroupResponse } from '../../wire/index.ts';
import type { WireClient } from '../wire-client.ts';
import type { SimBroker } from './broker.ts';

export interface GroupClientSettings {
  readonly group: string;
  readonly instanceId?: string | null;
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
  readonly protocolType?: string;
  /** By name, in order of preference. */
  readonly protocols?: Readonly<Record<string, string | Uint8Array>>;
  readonly joinVersion?: number;
}

const VERSION = { join: 8, sync: 5, heartbeat: 4, leave: 5, commit: 9 } as const;

export class GroupClient {
  readonly sim: SimBroker;
  readonly wire: WireClient;
  settings: GroupClientSettings;
  memberId = '';
  generation = -1;
  protocol: string | null = null;
  leader = '';

  constructor(sim: SimBroker, wire: WireClient, settings: GroupClientSettings) {
    this.sim = sim;
    this.wire = wire;
    this.settings = settings;
  }

  static async connect(sim: SimBroker, settings: GroupClientSettings): Promise<GroupClient> {
    return new GroupClient(sim, await sim.client(), settings);
  }

  get isLeader(): boolean {
    return this.leader === this.memberId;
  }

  /** One JoinGroup, as it is. */
  async joinOnce(memberId = this.memberId): Promise<JoinGroupResponse> {
    const { group, instanceId = null, joinVersion = VERSION.join, protocols = { range: '' }, ...rest } = this.settings;
    const answer = await this.wire.ask(apis.joinGroup, joinVersion, {
      groupId: group,
      memberId,
      groupInstanceId: instanceId,
      sessionTimeoutMs: rest.sessionTimeoutMs ?? 10_000,
      rebalanceTimeoutMs: rest.rebalanceTimeoutMs ?? 20_000,
      protocolType: rest.protocolType ?? 'consumer',
      protocols: Object.entries(protocols).map(([name, text]) => ({ name, metadata: Buffer.from(text) })),
    });
    if (answer.memberId !== '' && (answer.errorCode === 0 || answer.errorCode === 79)) this.memberId = answer.memberId;
    if (answer.errorCode === 0) {
      this.generation = answer.generationId;
      this.protocol = answer.protocolName;
      this.leader = answer.leader;
    }
    return answer;
  }

  /** Joins; twice where an id is given first. */
  async join(): Promise<JoinGroupResponse> {
    const answer = await this.joinOnce();
    return answer.errorCode === 79 ? this.joinOnce() : answer;
  }

  sync(assignments: Readonly<Record<string, string>> = {}, more: object = {}): Promise<SyncGroupResponse> {
    return this.wire.ask(apis.syncGroup, VERSION.sync, {
      groupId: this.settings.group,
      generationId: this.generation,
      memberId: this.memberId,
      groupInstanceId: this.settings.instanceId ?? null,
      protocolType: this.settings.protocolType ?? 'consumer',
      protocolName: this.protocol,
      assignments: Object.entries(assignments).map(([memberId, text]) => ({ memberId, assignment: Buffer.from(text) })),
      ...more,
    });
  }

  async heartbeat(more: object = {}): Promise<number> {
    const answer = await this.wire.ask(apis.heartbeat, VERSION.heartbeat, {
      groupId: this.settings.group,
      generationId: this.generation,
      memberId: this.memberId,
      groupInstanceId: this.settings.instanceId ?? null,
      ...more,
    });
    return answer.errorCode;
  }

  async leave(memberId = this.memberId, instanceId = this.settings.instanceId ?? null): Promise<number> {
    const answer = await this.wire.ask(apis.leaveGroup, VERSION.leave, {
      groupId: this.settings.group,
      members: [{ memberId, groupInstanceId: instanceId }],
    });
    return answer.members[0]?.errorCode ?? answer.errorCode;
  }

  /** Commits for partition 0 of a topic. */
  async commit(topic: string, offset: number, more: object = {}): Promise<number> {
    const answer = await this.wire.ask(apis.offsetCommit, VERSION.commit, {
      groupId: this.settings.group,
      generationIdOrMemberEpoch: this.generation,
      memberId: this.memberId,
      groupInstanceId: this.settings.instanceId ?? null,
      topics: [{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: '' }] }],
      ...more,
    });
    return answer.topics[0]!.partitions[0]!.errorCode;
  }
}

/** Members that have joined together and share a generation whose assignment says to each its place. */
export async function stableGroup(
  sim: SimBroker,
  count: number,
  settings: GroupClientSettings,
  each: (index: number) => Partial<GroupClientSettings> = () => ({}),
): Promise<GroupClient[]> {
  const members: GroupClient[] = [];
  for (let i = 0; i < count; i++) members.push(await GroupClient.connect(sim, { ...settings, ...each(i) }));
  await sim.finish(Promise.all(members.map(member => member.join())));
  await sim.finish(syncAll(members));
  return members;
}

/** All ask for the assignment; the leader says it. */
export async function syncAll(members: readonly GroupClient[]): Promise<SyncGroupResponse[]> {
  const assignments = Object.fromEntries(members.map(({ memberId }, i) => [memberId, `share ${i}`]));
  return Promise.all(members.map(member => member.sync(member.isLeader ? assignments : {})));
}
