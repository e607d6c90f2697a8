/**
 * The cluster as a client sees it: brokers, leaders, topic ids, coordinators; connections by node.
 *
 * Invariants
 * I1 bootstrap addresses are asked only while no known broker answers, or at the start.
 * I2 one connection a node and purpose is made at a time; whoever asks meanwhile waits for the same one.
 */
import { type Address, type Io, messageOf } from '../base/index.ts';
import { apis, errorCode, errorName, type MetadataResponse } from '../wire/index.ts';
import { BrokerConnection, type ConnectionSettings } from './connection.ts';
import { clientErrors } from './errors.ts';

export interface ClusterSettings extends ConnectionSettings {
  readonly bootstrap: readonly Address[];
  readonly metadataMaxAgeMs: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
}

export interface TopicInfo {
  readonly name: string;
  readonly id: string;
  /** Leader node of each partition by index; -1 where there is none. */
  readonly leaders: readonly number[];
}

const NO_TOPIC_ID = '00000000-0000-0000-0000-000000000000';

export class Cluster {
  readonly io: Io;
  readonly settings: ClusterSettings;
  private readonly brokers = new Map<number, Address>();
  private readonly topics = new Map<string, TopicInfo>();
  private readonly lookups = new Map<string, Promise<TopicInfo>>();
  private readonly ids = new Map<string, string>();
  private readonly names = new Map<string, string>();
  private readonly connections = new Map<string, Promise<BrokerConnection>>();
  private refreshedMs = 0;
  private isClosed = false;
  private nextBootstrap = 0;
  private purposes = 0;

  constructor(io: Io, settings: ClusterSettings) {
    this.io = io;
    this.settings = settings;
  }

  /** Waits with full jitter before try number `attempt` (from 0). */
  backoff(attempt: number): Promise<void> {
    const most = Math.min(this.settings.backoffMaxMs, this.settings.backoffMs * 2 ** attempt);
    return this.sleep(this.io.random.float() * most);
  }

  sleep(ms: number): Promise<void> {
    return new Promise(resolve => this.io.clock.after(ms, resolve));
  }

  /** Connection to a node. `purpose` keeps what may block (fetches, group requests) off the others' way. */
  async node(id: number, purpose = ''): Promise<BrokerConnection> {
    const address = this.brokers.get(id);
    if (!address) throw clientErrors.noBroker({ brokers: `node ${id}`, reason: 'it is not in the metadata' });
    return this.connect(address, purpose);
  }

  /** A purpose of its own: a request that waits long (JoinGroup) must not keep another member's heartbeat behind it. */
  ownPurpose(name: string): string {
    return `${name} ${++this.purposes}`;
  }

  /** Any broker that answers: known ones first, then the bootstrap list. */
  async any(): Promise<BrokerConnection> {
    const { bootstrap } = this.settings;
    const turn = this.nextBootstrap++;
    const rotated = bootstrap.map((_, i) => bootstrap[(i + turn) % bootstrap.length]!);
    let reason = 'none is named';
    for (const address of [...this.brokers.values(), ...rotated]) {
      try {
        return await this.connect(address, '');
      } catch (error) {
        reason = messageOf(error);
      }
    }
    throw clientErrors.noBroker({ brokers: bootstrap.map(({ host, port }) => `${host}:${port}`).join(','), reason });
  }

  async metadata(names: readonly string[] | null, canCreate = false): Promise<MetadataResponse> {
    const connection = await this.any();
    const answer = await connection.request(apis.metadata, version => ({
      topics: names === null ? (version === 0 ? [] : null) : names.map(name => ({ name })),
      allowAutoTopicCreation: canCreate,
    }));
    this.brokers.clear();
    for (const { host, nodeId, port } of answer.brokers) this.brokers.set(nodeId, { host, port });
    for (const topic of answer.topics) {
      if (topic.errorCode !== 0 || topic.name === null) continue;
      const leaders: number[] = [];
      for (const { leaderId, partitionIndex } of topic.partitions) leaders[partitionIndex] = leaderId;
      this.ids.set(topic.name, topic.topicId);
      this.names.set(topic.topicId, topic.name);
      this.topics.set(topic.name, { name: topic.name, id: topic.topicId, leaders });
    }
    this.refreshedMs = this.io.clock.monotonic();
    return answer;
  }

  /** The topic, asked for if unknown or old; who asks meanwhile waits for the same answer. */
  topic(name: string, canCreate = false): Promise<TopicInfo> {
    const known = this.topics.get(name);
    if (known && this.isFresh) return Promise.resolve(known);
    let lookup = this.lookups.get(name);
    if (!lookup) {
      lookup = this.lookUp(name, canCreate).finally(() => this.lookups.delete(name));
      this.lookups.set(name, lookup);
    }
    return lookup;
  }

  private get isFresh(): boolean {
    return this.io.clock.monotonic() - this.refreshedMs < this.settings.metadataMaxAgeMs;
  }

  /** Creation by the broker is retried until the topic has a leader. */
  private async lookUp(name: string, canCreate: boolean): Promise<TopicInfo> {
    for (let attempt = 0; ; attempt++) {
      const answer = await this.metadata([...new Set([...this.topics.keys(), name])], canCreate);
      const known = this.topics.get(name);
      const found = answer.topics.find(topic => topic.name === name);
      if (known && found?.errorCode === 0) return known;
      const error = errorName(found?.errorCode ?? -1);
      if (error === 'UNKNOWN_TOPIC_OR_PARTITION' && !canCreate) throw clientErrors.unknownTopic({ topic: name });
      if (attempt >= 20) throw clientErrors.brokerError({ api: 'Metadata', what: `for ${name}`, error });
      await this.backoff(attempt);
    }
  }

  /** The leader's node as far as it is known and fresh; asks nobody. */
  knownLeader(topic: string, partition: number): number | undefined {
    if (!this.isFresh) return undefined;
    const leader = this.topics.get(topic)?.leaders[partition] ?? -1;
    return leader < 0 ? undefined : leader;
  }

  /** The id under which the topic was last known; zeros for none. */
  topicId(name: string): string {
    return this.ids.get(name) ?? NO_TOPIC_ID;
  }

  topicName(id: string): string | undefined {
    return this.names.get(id);
  }

  /** Forgets what is known of the topic: the next look asks again. */
  forget(name: string): void {
    this.topics.delete(name);
  }

  /** The node that coordinates a group. */
  async coordinator(group: string): Promise<number> {
    for (let attempt = 0; ; attempt++) {
      const connection = await this.any();
      const answer = await connection.request(apis.findCoordinator, {
        key: group,
        keyType: 0,
        coordinatorKeys: [group],
      } as never);
      const found = answer.coordinators[0] ?? answer;
      if (found.errorCode === 0) {
        this.brokers.set(found.nodeId, { host: found.host, port: found.port });
        return found.nodeId;
      }
      const isTransient = found.errorCode === errorCode('COORDINATOR_NOT_AVAILABLE');
      if (!isTransient || attempt > 30) {
        throw clientErrors.brokerError({
          api: 'FindCoordinator',
          what: `for ${group}`,
          error: errorName(found.errorCode),
        });
      }
      await this.backoff(attempt);
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const open = [...this.connections.values()];
    this.connections.clear();
    for (const connection of open) await connection.then(ready => ready.close()).catch(() => undefined);
  }

  private connect(address: Address, purpose: string): Promise<BrokerConnection> {
    if (this.isClosed) return Promise.reject(clientErrors.closed());
    const key = `${address.host}:${address.port} ${purpose}`;
    const existing = this.connections.get(key);
    if (existing) return existing;
    const made = BrokerConnection.connect(this.io, address, this.settings);
    this.connections.set(key, made);
    const forget = (): void => {
      if (this.connections.get(key) === made) this.connections.delete(key);
    };
    made.then(
      connection => {
        connection.onClose = forget;
        if (this.isClosed) connection.close();
      },
      () => forget(),
    );
    return made;
  }
}
