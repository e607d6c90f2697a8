/** What tests say to a broker over the wire, one call a request, and the record batches that they send. */
import assert from 'node:assert/strict';
import { GroupClient, type SimBroker, stableGroup, type WireClient } from '../testing/index.ts';
import { type Api, apis, encodeConsumerProtocolSubscription, Writer, ZERO_UUID } from '../wire/index.ts';
import { BatchHeader, RecordBatchBuilder } from '../wire/records/index.ts';

export const NOWHERE = 'f'.repeat(32);

export class Rig {
  readonly sim: SimBroker;
  client: WireClient;

  constructor(sim: SimBroker, client: WireClient) {
    this.sim = sim;
    this.client = client;
  }

  ask<Q, QI, S, SI>(api: Api<Q, QI, S, SI>, version: number, message: QI): Promise<S> {
    return this.sim.finish(this.client.ask(api, version, message));
  }

  async topic(name = 't', partitions = 2, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const made = this.sim.log.createTopic('', name, partitions, new Map(Object.entries(configs)));
    return (await this.sim.finish(made)).id;
  }

  /** The process is killed and started again. */
  async restart(): Promise<void> {
    await this.sim.restart();
    this.client = await this.sim.client();
  }

  /** The log refuses everything from now on, as after a failed sync. */
  async breakDisk(): Promise<void> {
    this.sim.disk.failSyncAt = this.sim.disk.syncs + 1;
    await this.sim.finish(this.sim.log.change([{ table: 'x', key: 'x', value: undefined }]).catch(() => undefined));
  }

  async produce(version: number, records: Uint8Array | null, more: Produced = {}): Promise<number> {
    const { acks = 1, index = 0, topic = 't', topicId = ZERO_UUID, transactionalId = null } = more;
    const answer = await this.ask(apis.produce, version, {
      transactionalId,
      acks,
      timeoutMs: 1_000,
      topicData: [{ name: topic, topicId, partitionData: [{ index, records: records && [records] }] }],
    });
    return answer.responses[0]!.partitionResponses[0]!.errorCode;
  }

  async fetch(version: number, offset: number, more: Fetched = {}): Promise<number> {
    const { epoch = -1, index = 0, session = [0, -1], topic = 't', topicId = ZERO_UUID } = more;
    const answer = await this.ask(apis.fetch, version, {
      maxWaitMs: 0,
      minBytes: 1,
      isolationLevel: 0,
      sessionId: session[0]!,
      sessionEpoch: session[1]!,
      topics: [
        {
          topic,
          topicId,
          partitions: [{ partition: index, fetchOffset: offset, partitionMaxBytes: 1_000, currentLeaderEpoch: epoch }],
        },
      ],
      forgottenTopicsData: [],
      rackId: '',
    });
    return answer.errorCode || answer.responses[0]!.partitions[0]!.errorCode;
  }

  async listOffsets(version: number, timestamp: number, topic = 't', epoch = -1): Promise<number> {
    const partitions = [{ partitionIndex: 0, timestamp, currentLeaderEpoch: epoch }];
    const answer = await this.ask(apis.listOffsets, version, { replicaId: -1, topics: [{ name: topic, partitions }] });
    return answer.topics[0]!.partitions[0]!.errorCode;
  }

  async metadata(version: number, topic: { name?: string | null; topicId?: string }): Promise<number> {
    const wish = { name: null, topicId: ZERO_UUID, ...topic };
    const answer = await this.ask(apis.metadata, version, { topics: [wish], allowAutoTopicCreation: true });
    return answer.topics[0]!.errorCode;
  }

  async create(wish: object, isTrial = false): Promise<number> {
    const topic = { name: 'new', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...wish };
    const answer = await this.ask(apis.createTopics, 7, { topics: [topic], timeoutMs: 0, validateOnly: isTrial });
    const [first] = answer.topics;
    assert.equal(first!.errorMessage === null, first!.errorCode === 0, 'an error has words');
    return first!.errorCode;
  }

  async grow(wish: object): Promise<number> {
    const topic = { name: 't', count: 3, assignments: null, ...wish };
    const answer = await this.ask(apis.createPartitions, 3, { topics: [topic], timeoutMs: 0, validateOnly: false });
    return answer.results[0]!.errorCode;
  }

  async commit(
    version: number,
    more: object = {},
    place: { topic?: string; topicId?: string; text?: string } = {},
  ): Promise<number> {
    const { text = '', topic = 't', topicId = ZERO_UUID } = place;
    const partitions = [{ partitionIndex: 0, committedOffset: 1, committedMetadata: text }];
    const answer = await this.ask(apis.offsetCommit, version, {
      groupId: 'g',
      memberId: '',
      topics: [{ name: topic, topicId, partitions }],
      ...more,
    });
    return answer.topics[0]!.partitions[0]!.errorCode;
  }

  async offsetDelete(groupId: string, topic = 't'): Promise<number> {
    const topics = [{ name: topic, partitions: [{ partitionIndex: 0 }] }];
    const answer = await this.ask(apis.offsetDelete, 0, { groupId, topics });
    return answer.errorCode || answer.topics[0]!.partitions[0]!.errorCode;
  }

  async deleteTopic(topic: { name: string | null; topicId?: string }): Promise<number> {
    const topics = [{ topicId: ZERO_UUID, ...topic }];
    return (await this.ask(apis.deleteTopics, 6, { topics, topicNames: [], timeoutMs: 0 })).responses[0]!.errorCode;
  }

  async deleteGroup(group: string): Promise<number> {
    return (await this.ask(apis.deleteGroups, 2, { groupsNames: [group] })).results[0]!.errorCode;
  }

  async initProducer(more: object): Promise<number> {
    const message = { transactionalId: null, transactionTimeoutMs: 0, ...more };
    return (await this.ask(apis.initProducerId, 4, message)).errorCode;
  }

  async describeConfigs(resourceType: number, resourceName: string): Promise<number> {
    const resources = [{ resourceType, resourceName, configurationKeys: null }];
    const answer = await this.ask(apis.describeConfigs, 4, { resources });
    return answer.results[0]!.errorCode;
  }

  async alter(configs: Readonly<Record<string, string | null>>, resourceType = 2, resourceName = 't'): Promise<number> {
    const named = Object.entries(configs).map(([name, value]) => ({ name, value }));
    const resources = [{ resourceType, resourceName, configs: named }];
    return (await this.ask(apis.alterConfigs, 2, { resources, validateOnly: false })).responses[0]!.errorCode;
  }

  /** Steps are `name operation value`. */
  async alterBy(
    steps: readonly (readonly [name: string, operation: number, value: string | null])[],
    more: { readonly isTrial?: boolean; readonly resourceType?: number; readonly resourceName?: string } = {},
  ): Promise<number> {
    const { isTrial = false, resourceName = 't', resourceType = 2 } = more;
    const configs = steps.map(([name, configOperation, value]) => ({ name, configOperation, value }));
    const resources = [{ resourceType, resourceName, configs }];
    return (await this.ask(apis.incrementalAlterConfigs, 1, { resources, validateOnly: isTrial })).responses[0]!
      .errorCode;
  }

  /** The code, and where the partition begins then. */
  async deleteRecords(
    offset: number,
    topic = 't',
    partitionIndex = 0,
  ): Promise<readonly [code: number, start: number]> {
    const topics = [{ name: topic, partitions: [{ partitionIndex, offset }] }];
    const answer = await this.ask(apis.deleteRecords, 2, { topics, timeoutMs: 1_000 });
    const { errorCode, lowWatermark } = answer.topics[0]!.partitions[0]!;
    return [errorCode, lowWatermark];
  }

  async leaderEpoch(topic: string, current: number): Promise<number> {
    const partitions = [{ partition: 0, currentLeaderEpoch: current, leaderEpoch: 0 }];
    const answer = await this.ask(apis.offsetForLeaderEpoch, 4, { topics: [{ topic, partitions }] });
    return answer.topics[0]!.partitions[0]!.errorCode;
  }

  async group(more: Partial<GroupClient['settings']> = {}): Promise<GroupClient> {
    return GroupClient.connect(this.sim, { group: 'g', ...more });
  }

  join(more: Partial<GroupClient['settings']>, memberId?: string): Promise<number> {
    return this.group(more).then(async member => (await this.sim.finish(member.joinOnce(memberId))).errorCode);
  }

  /** Members of a stable group `g`. */
  stable(count = 1, more: Partial<GroupClient['settings']> = {}): Promise<GroupClient[]> {
    return stableGroup(this.sim, count, { group: 'g', ...more });
  }

  /** A stable group in which one member asks for another round, so that the other is behind. */
  async rebalancing(): Promise<{ behind: GroupClient; ahead: GroupClient; round: Promise<unknown> }> {
    const [ahead, behind] = (await this.stable(2)) as [GroupClient, GroupClient];
    ahead.settings = { ...ahead.settings, protocols: { range: 'changed' } };
    const round = ahead.joinOnce();
    await this.sim.pass(50);
    return { ahead, behind, round };
  }

  /** A group whose generation has begun and whose leader has not said who gets what. */
  async completing(): Promise<GroupClient> {
    const member = await this.group();
    await this.sim.finish(member.join());
    return member;
  }
}

interface Produced {
  readonly acks?: number;
  readonly index?: number;
  readonly topic?: string;
  readonly topicId?: string;
  readonly transactionalId?: string | null;
}

interface Fetched {
  readonly epoch?: number;
  readonly index?: number;
  readonly session?: readonly [number, number];
  readonly topic?: string;
  readonly topicId?: string;
}

type Options = Parameters<RecordBatchBuilder['finish']>[0];

export function batch(values: readonly string[] = ['a', 'b'], options: Options = {}, timestamp = 1_000): Uint8Array {
  const builder = new RecordBatchBuilder();
  for (const value of values) builder.append(timestamp, null, Buffer.from(value));
  return builder.finish(options);
}

/** A batch with its header changed and sealed anew. */
export function changed(change: (view: DataView) => void): Uint8Array {
  const bytes = Uint8Array.from(batch());
  change(new DataView(bytes.buffer));
  new BatchHeader(bytes).seal();
  return bytes;
}

export const from = (producerId: number, producerEpoch: number, baseSequence: number, count = 2): Uint8Array =>
  batch(Array(count).fill('x'), { producerId, producerEpoch, baseSequence });

export function corrupt(): Uint8Array {
  const bytes = Uint8Array.from(batch());
  bytes[bytes.length - 1]! ^= 1;
  return bytes;
}

export function subscription(topics: readonly string[]): Uint8Array {
  const writer = new Writer();
  writer.int16(0);
  encodeConsumerProtocolSubscription(writer, { topics }, 0);
  return Buffer.concat(writer.finish());
}

export type Step = (rig: Rig) => unknown;
/** What the last step comes to is the code that was answered. */
export type Case = readonly [what: string, code: number, ...steps: readonly Step[]];

export const topic: Step = rig => rig.topic();
export const broken: Step = rig => rig.breakDisk();
export const stable: Step = rig => rig.stable();
export const committed: Step = rig => rig.commit(9);
