/** Administration of a cluster: topics, groups, offsets. Each call asks once and reports the broker's error by name. */
import { apis, type ListGroupsResponse, type MetadataResponse } from '../wire/index.ts';
import type { Cluster } from './cluster.ts';
import { END, offsetFor, START } from './consumer/positions.ts';
import { brokerError } from './errors.ts';

/** Requests by topic name; newer versions name topics by id too. */
const DELETE_BY_NAME = 5;

export class Admin {
  private readonly cluster: Cluster;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /** Null asks for all topics. */
  topics(names: readonly string[] | null = null): Promise<MetadataResponse> {
    return this.cluster.metadata(names);
  }

  async createTopic(name: string, partitions: number, configs: ReadonlyMap<string, string> = new Map()): Promise<void> {
    const connection = await this.cluster.any();
    const answer = await connection.request(apis.createTopics, {
      topics: [
        {
          name,
          numPartitions: partitions,
          replicationFactor: -1,
          assignments: [],
          configs: [...configs].map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: 30_000,
    });
    this.expect('CreateTopics', name, answer.topics[0]);
  }

  async deleteTopic(name: string): Promise<void> {
    const connection = await this.cluster.any();
    const answer = await connection.request(
      apis.deleteTopics,
      { topicNames: [name], timeoutMs: 30_000 },
      { cap: DELETE_BY_NAME },
    );
    this.expect('DeleteTopics', name, answer.responses[0]);
  }

  async describeConfigs(topic: string): Promise<{ name: string; value: string | null }[]> {
    const connection = await this.cluster.any();
    const answer = await connection.request(apis.describeConfigs, {
      resources: [{ resourceType: 2, resourceName: topic, configurationKeys: null }],
      includeSynonyms: false,
    });
    this.expect('DescribeConfigs', topic, answer.results[0]);
    return answer.results[0]!.configs.map(({ name, value }) => ({ name, value }));
  }

  /** Sets configs of a topic, and gives others back to their defaults. */
  async alterConfigs(topic: string, set: ReadonlyMap<string, string>, reset: readonly string[] = []): Promise<void> {
    const connection = await this.cluster.any();
    const configs = [
      ...Array.from(set, ([name, value]) => ({ name, configOperation: 0, value })),
      ...reset.map(name => ({ name, configOperation: 1, value: null })),
    ];
    const resources = [{ resourceType: 2, resourceName: topic, configs }];
    const answer = await connection.request(apis.incrementalAlterConfigs, { resources, validateOnly: false });
    this.expect('IncrementalAlterConfigs', topic, answer.responses[0]);
  }

  /** Deletes what lies before an offset, or everything; tells where each partition begins then. */
  async deleteRecords(
    topic: string,
    partitions: readonly number[],
    before: number | 'end',
  ): Promise<{ partition: number; start: number }[]> {
    const { leaders } = await this.cluster.topic(topic);
    return Promise.all(
      partitions.map(async partitionIndex => {
        const connection = await this.cluster.node(leaders[partitionIndex] ?? -1);
        const wish = { partitionIndex, offset: before === 'end' ? -1 : before };
        const topics = [{ name: topic, partitions: [wish] }];
        const answer = await connection.request(apis.deleteRecords, { topics, timeoutMs: 30_000 });
        const [result] = answer.topics[0]?.partitions ?? [];
        this.expect('DeleteRecords', `${topic}/${partitionIndex}`, result);
        return { partition: partitionIndex, start: result!.lowWatermark };
      }),
    );
  }

  /** First and last offset of each partition. */
  async offsets(topic: string): Promise<{ partition: number; start: number; end: number }[]> {
    const { leaders } = await this.cluster.topic(topic);
    return Promise.all(
      leaders.map(async (_leader, partition) => ({
        partition,
        start: await offsetFor(this.cluster, topic, partition, START),
        end: await offsetFor(this.cluster, topic, partition, END),
      })),
    );
  }

  async groups(): Promise<ListGroupsResponse['groups']> {
    const connection = await this.cluster.any();
    return (await connection.request(apis.listGroups, { statesFilter: [], typesFilter: [] })).groups;
  }

  async deleteGroup(id: string): Promise<void> {
    const connection = await this.cluster.node(await this.cluster.coordinator(id));
    const answer = await connection.request(apis.deleteGroups, { groupsNames: [id] });
    this.expect('DeleteGroups', id, answer.results[0]);
  }

  private expect(
    api: string,
    what: string,
    result: { readonly errorCode: number; readonly errorMessage?: string | null } | undefined,
  ): void {
    const code = result?.errorCode ?? -1;
    if (code === 0) return;
    throw brokerError(api, result?.errorMessage ? `of ${what} (${result.errorMessage})` : `of ${what}`, code);
  }
}
