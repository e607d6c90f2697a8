/** A member of a consumer group (KIP-848) that a test moves heartbeat by heartbeat over the wire. */
import { apis, type ConsumerGroupHeartbeatResponse } from '../../wire/index.ts';
import type { WireClient } from '../wire-client.ts';
import type { SimBroker } from './broker.ts';

export interface ConsumerMemberSettings {
  readonly group: string;
  readonly id: string;
  readonly topics?: readonly string[] | null;
  readonly regex?: string | null;
  readonly instanceId?: string | null;
  readonly assignor?: string | null;
  readonly rebalanceTimeoutMs?: number;
}

type Owned = readonly { readonly topicId: string; readonly partitions: readonly number[] }[];

export class ConsumerMember {
  readonly sim: SimBroker;
  readonly wire: WireClient;
  settings: ConsumerMemberSettings;
  epoch = 0;
  /** As the member was last told, taken over only by `obey`. */
  told: Owned = [];
  owned: Owned = [];
  /** Errors in the order in which they came. */
  readonly errors: number[] = [];

  constructor(sim: SimBroker, wire: WireClient, settings: ConsumerMemberSettings) {
    this.sim = sim;
    this.wire = wire;
    this.settings = settings;
  }

  static async connect(sim: SimBroker, settings: ConsumerMemberSettings): Promise<ConsumerMember> {
    return new ConsumerMember(sim, await sim.client(settings.id), settings);
  }

  /** One heartbeat, as it is. */
  async send(more: object = {}): Promise<ConsumerGroupHeartbeatResponse> {
    const { assignor = null, group, id, instanceId = null, rebalanceTimeoutMs = 60_000, regex = null } = this.settings;
    const isJoining = this.epoch === 0;
    const answer = await this.wire.ask(apis.consumerGroupHeartbeat, 1, {
      groupId: group,
      memberId: id,
      memberEpoch: this.epoch,
      instanceId,
      rebalanceTimeoutMs: isJoining ? rebalanceTimeoutMs : -1,
      subscribedTopicNames: isJoining ? (this.settings.topics ?? (regex === null ? ['t'] : null)) : null,
      subscribedTopicRegex: isJoining ? regex : null,
      serverAssignor: isJoining ? assignor : null,
      topicPartitions: isJoining ? [] : this.owned,
      ...more,
    });
    if (answer.errorCode === 0) {
      this.epoch = answer.memberEpoch;
      if (answer.assignment) this.told = answer.assignment.topicPartitions;
    } else this.errors.push(answer.errorCode);
    return answer;
  }

  /** Owns what it was told, no more and no less. */
  obey(): void {
    this.owned = this.told;
  }

  /** A heartbeat of a member that does as it is told, and joins again where it is fenced. */
  async beat(): Promise<void> {
    const { errorCode } = await this.send();
    if (errorCode === 110 || errorCode === 25) {
      this.epoch = 0;
      this.told = [];
      this.owned = [];
      await this.send();
    }
    this.obey();
  }

  /** `topic/partition` of what it owns. */
  get places(): string[] {
    return this.owned
      .flatMap(({ partitions, topicId }) => {
        const name = this.sim.log.topicById(topicId)?.name ?? topicId;
        return partitions.map(partition => `${name}/${partition}`);
      })
      .sort();
  }

  leave(epoch = -1): Promise<ConsumerGroupHeartbeatResponse> {
    return this.send({ memberEpoch: epoch });
  }

  async commit(topic: string, offset: number, more: object = {}): Promise<number> {
    const answer = await this.wire.ask(apis.offsetCommit, 9, {
      groupId: this.settings.group,
      generationIdOrMemberEpoch: this.epoch,
      memberId: this.settings.id,
      groupInstanceId: this.settings.instanceId ?? null,
      topics: [{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: '' }] }],
      ...more,
    });
    return answer.topics[0]!.partitions[0]!.errorCode;
  }
}
