/**
 * The cluster as a client sees it: brokers, topics with their leaders, coordinators; connections by node.
 *
 * What a broker says may be older than what another has said: of a partition the higher leader epoch counts, of a topic that
 * a lagging broker does not know (yet) the last that was heard, for a while. A topic with another id is another topic: all
 * that was known of the old one is forgotten.
 *
 * Invariants
 * I1 any broker that answers will do for questions about the cluster: open connections first, then known brokers, then the
 *    bootstrap list; what failed last comes last.
 * I2 one connection a node and purpose is made at a time; whoever asks meanwhile waits for the same one.
 * I3 a failure that is tried again is told to `report` once, until what failed has succeeded.
 */
import { type Address, type Io, messageOf, MillraceError } from '../base/index.ts';
import { type Api, apis, errorName, isRetriable, type MetadataResponse, ZERO_UUID } from '../wire/index.ts';
import { BrokerConnection, type ConnectionSettings } from './connection.ts';
import { brokerError, canPass, clientErrors, isOf } from './errors.ts';

export interface ClusterSettings extends ConnectionSettings {
  readonly bootstrap: readonly Address[];
  readonly metadataMaxAgeMs: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  /** Told of failures that are tried again. */
  readonly report?: (error: Error) => void;
}

export interface TopicInfo {
  readonly name: string;
  readonly id: string;
  /** Leader node of each partition by index; -1 where there is none. */
  readonly leaders: readonly number[];
  /** Leader epoch of each partition by index; -1 where it is not told. */
  readonly leaderEpochs: readonly number[];
}

interface KnownTopic {
  readonly info: TopicInfo;
  /** Someone has seen that it is no longer right. */
  isStale: boolean;
  learnedMs: number;
  /** Since when brokers say that there is no such topic. */
  missingSinceMs: number | undefined;
}

/** A broker that has just started does not know all topics yet. */
const UNKNOWN_TRIES = 3;
const LOOK_UP_TRIES = 20;
const COORDINATOR_TRIES = 30;

export class Cluster {
  readonly io: Io;
  readonly settings: ClusterSettings;
  private readonly brokers = new Map<number, Address>();
  private readonly topics = new Map<string, KnownTopic>();
  private readonly lookups = new Map<string, Promise<TopicInfo>>();
  private readonly names = new Map<string, string>();
  private readonly coordinators = new Map<string, number>();
  private readonly connections = new Map<string, Promise<BrokerConnection>>();
  /** When an address failed last, by `host:port`. */
  private readonly failedMs = new Map<string, number>();
  private readonly troubles = new Set<string>();
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

  /** `what` fails and is tried again. */
  troubled(what: string, error: Error): void {
    if (this.troubles.has(what) || this.isClosed) return;
    this.troubles.add(what);
    this.settings.report?.(error);
  }

  /** `what` has succeeded. */
  calmed(what: string): void {
    this.troubles.delete(what);
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

  /** Ends the connections of a purpose, and with them what is under way there. */
  release(purpose: string): void {
    for (const [key, connection] of this.connections) {
      if (!key.endsWith(` ${purpose}`)) continue;
      this.connections.delete(key);
      connection.then(
        ready => ready.close(),
        () => undefined,
      );
    }
  }

  /** Any broker that answers. */
  any(): Promise<BrokerConnection> {
    return this.firstOf(connection => Promise.resolve(connection));
  }

  /** Asks one broker after the other until one answers: for what may be asked twice. */
  ask<Q, QI, S, SI>(api: Api<Q, QI, S, SI>, message: QI | ((version: number) => QI)): Promise<S> {
    return this.firstOf(connection => connection.request(api, message));
  }

  /** Null asks for all topics. */
  async metadata(names: readonly string[] | null, canCreate = false): Promise<MetadataResponse> {
    const answer = await this.ask(apis.metadata, version => ({
      topics: names === null ? (version === 0 ? [] : null) : names.map(name => ({ name })),
      allowAutoTopicCreation: canCreate,
    }));
    if (errorName(answer.errorCode) === 'REBOOTSTRAP_REQUIRED') {
      // All that is known of the cluster is to be forgotten (KIP-1102).
      this.brokers.clear();
      this.release('');
      throw clientErrors.notReady({ api: 'Metadata', what: 'asks to begin anew', error: 'REBOOTSTRAP_REQUIRED' });
    }
    if (answer.errorCode !== 0) throw brokerError('Metadata', 'of the cluster', answer.errorCode);
    // A broker that is just starting knows none, not even itself.
    if (answer.brokers.length > 0) {
      this.brokers.clear();
      for (const { host, nodeId, port } of answer.brokers) this.brokers.set(nodeId, { host, port });
    }
    const now = this.io.clock.monotonic();
    for (const topic of answer.topics) {
      if (topic.name === null) continue;
      if (topic.errorCode === 0) this.learn(topic.name, topic);
      else {
        const known = this.topics.get(topic.name);
        if (known && errorName(topic.errorCode) === 'UNKNOWN_TOPIC_OR_PARTITION') known.missingSinceMs ??= now;
      }
    }
    return answer;
  }

  /** The topic, asked for if unknown or old; who asks meanwhile waits for the same answer. */
  topic(name: string, canCreate = false): Promise<TopicInfo> {
    const known = this.known(name);
    if (known) return Promise.resolve(known);
    let lookup = this.lookups.get(name);
    if (!lookup) {
      lookup = this.lookUp(name, canCreate).finally(() => this.lookups.delete(name));
      this.lookups.set(name, lookup);
    }
    return lookup;
  }

  /** The topic as far as it is known and fresh; asks nobody. */
  known(name: string): TopicInfo | undefined {
    const known = this.topics.get(name);
    if (!known || known.isStale) return undefined;
    const ageMs = this.io.clock.monotonic() - known.learnedMs;
    return ageMs < this.settings.metadataMaxAgeMs ? known.info : undefined;
  }

  /** The leader's node as far as it is known and fresh; asks nobody. */
  knownLeader(topic: string, partition: number): number | undefined {
    const leader = this.known(topic)?.leaders[partition] ?? -1;
    return leader < 0 ? undefined : leader;
  }

  /** The id under which the topic was last known; zeros for none. */
  topicId(name: string): string {
    return this.topics.get(name)?.info.id ?? ZERO_UUID;
  }

  topicName(id: string): string | undefined {
    return this.names.get(id);
  }

  /** What is known of the topic is no longer right: the next look asks again. */
  forget(name: string): void {
    const known = this.topics.get(name);
    if (known) known.isStale = true;
  }

  /** The node that coordinates a group; remembered until `forgetCoordinator`. */
  async coordinator(group: string): Promise<number> {
    const known = this.coordinators.get(group);
    if (known !== undefined) return known;
    for (let attempt = 0; ; attempt++) {
      const answer = await this.ask(apis.findCoordinator, { key: group, keyType: 0, coordinatorKeys: [group] });
      const found = answer.coordinators[0] ?? answer;
      if (found.errorCode === 0) {
        this.brokers.set(found.nodeId, { host: found.host, port: found.port });
        this.coordinators.set(group, found.nodeId);
        return found.nodeId;
      }
      if (!isRetriable(found.errorCode) || attempt >= COORDINATOR_TRIES)
        throw brokerError('FindCoordinator', `for ${group}`, found.errorCode);
      await this.backoff(attempt);
    }
  }

  forgetCoordinator(group: string): void {
    this.coordinators.delete(group);
  }

  /** Everything under way fails with MR4208. */
  close(): Promise<void> {
    this.isClosed = true;
    const open = [...this.connections.values()];
    this.connections.clear();
    // What is still being made closes itself (`connect`).
    for (const connection of open)
      connection.then(
        ready => ready.close(),
        () => undefined,
      );
    return Promise.resolve();
  }

  private async firstOf<T>(use: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    const failures: Error[] = [];
    for (const address of this.candidates()) {
      try {
        return await use(await this.connect(address, ''));
      } catch (error) {
        if (!canPass(error)) throw error;
        failures.push(error as Error);
      }
    }
    // The same trouble with all of them is told as it is: a certificate, a password, the wrong protocol.
    const [first] = failures;
    const rows = new Set(failures.map(error => (error instanceof MillraceError ? error.row : undefined)));
    if (first && rows.size === 1 && !isOf(first, clientErrors.connectionLost)) throw first;
    const brokers = this.settings.bootstrap.map(keyOf).join(',');
    const reasons = [...new Set(failures.map(messageOf))].join('; ');
    throw clientErrors.noBroker({ brokers, reason: reasons === '' ? 'none is named' : reasons }, first);
  }

  private candidates(): Address[] {
    const { bootstrap } = this.settings;
    const turn = this.nextBootstrap++;
    const all = new Map<string, Address>();
    for (const address of this.brokers.values()) all.set(keyOf(address), address);
    for (let i = 0; i < bootstrap.length; i++) {
      const address = bootstrap[(turn + i) % bootstrap.length]!;
      if (!all.has(keyOf(address))) all.set(keyOf(address), address);
    }
    const rank = (key: string): number =>
      this.connections.has(`${key} `) ? Number.NEGATIVE_INFINITY : (this.failedMs.get(key) ?? -1);
    return [...all].sort(([a], [b]) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b))).map(([, address]) => address);
  }

  /** Creation by the broker is retried until the topic has a leader. */
  private async lookUp(name: string, canCreate: boolean): Promise<TopicInfo> {
    for (let attempt = 0; ; attempt++) {
      const answer = await this.metadata([...new Set([...this.topics.keys(), name])], canCreate);
      const code = answer.topics.find(topic => topic.name === name)?.errorCode ?? -1;
      const known = this.topics.get(name);
      if (code === 0 && known) return known.info;
      const isMissing = errorName(code) === 'UNKNOWN_TOPIC_OR_PARTITION' && !canCreate;
      if (isMissing && this.isGone(known, attempt)) {
        this.topics.delete(name);
        throw clientErrors.unknownTopic({ topic: name });
      }
      if (!isRetriable(code) || attempt >= LOOK_UP_TRIES) throw brokerError('Metadata', `for ${name}`, code);
      await this.backoff(attempt);
    }
  }

  /** A topic that was there is believed to be gone when brokers have said so for as long as a request may take. */
  private isGone(known: KnownTopic | undefined, attempt: number): boolean {
    if (!known) return attempt + 1 >= UNKNOWN_TRIES;
    const { missingSinceMs } = known;
    if (missingSinceMs === undefined) return false;
    return this.io.clock.monotonic() - missingSinceMs >= this.settings.requestTimeoutMs;
  }

  private learn(name: string, topic: MetadataResponse['topics'][number]): void {
    const before = this.topics.get(name)?.info;
    const isSame = before !== undefined && before.id === topic.topicId;
    // Partitions never become fewer: a broker that tells of fewer lags behind.
    const leaders = isSame ? [...before.leaders] : [];
    const leaderEpochs = isSame ? [...before.leaderEpochs] : [];
    for (const { leaderEpoch, leaderId, partitionIndex } of topic.partitions) {
      if (leaderEpoch >= 0 && leaderEpoch < (leaderEpochs[partitionIndex] ?? -1)) continue;
      leaders[partitionIndex] = leaderId;
      leaderEpochs[partitionIndex] = leaderEpoch;
    }
    if (before && !isSame) this.names.delete(before.id);
    this.names.set(topic.topicId, name);
    const info = { name, id: topic.topicId, leaders, leaderEpochs };
    this.topics.set(name, { info, isStale: false, learnedMs: this.io.clock.monotonic(), missingSinceMs: undefined });
  }

  private connect(address: Address, purpose: string): Promise<BrokerConnection> {
    if (this.isClosed) return Promise.reject(clientErrors.closed());
    const key = `${keyOf(address)} ${purpose}`;
    const existing = this.connections.get(key);
    if (existing) return existing;
    const made = BrokerConnection.connect(this.io, address, this.settings);
    this.connections.set(key, made);
    const forget = (): void => {
      if (this.connections.get(key) === made) this.connections.delete(key);
    };
    made.then(
      connection => {
        this.failedMs.delete(keyOf(address));
        connection.onClose = forget;
        if (this.isClosed) connection.close();
      },
      () => {
        this.failedMs.set(keyOf(address), this.io.clock.monotonic());
        forget();
      },
    );
    return made;
  }
}

function keyOf({ host, port }: Address): string {
  return `${host}:${port}`;
}
