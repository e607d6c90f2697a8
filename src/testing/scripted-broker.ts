/**
 * Brokers that do what a test says, in a simulated world: each answers by handlers that the test may replace, so that what
 * no real broker does on command (hang, lie, answer late, lead no more) happens exactly when it is wanted. Nothing waits for
 * real time.
 *
 *   const scripted = new ScriptedCluster(['a', 'b']);         two brokers, nodes 1 and 2
 *   scripted.topic('t', [1, 2]);                              partition 0 is led by node 1, partition 1 by node 2
 *   scripted.brokers[0]!.on(apis.fetch, () => HANG);
 *   await scripted.settle(scripted.client().any());
 *
 * Requests of a connection are worked off one by one, as Kafka does; a handler may answer with a promise.
 */
import { type Arena, type Connection, FrameReceiver, privateRoom } from '../base/index.ts';
import { type Cluster, type ClusterSettings, clientSettings, makeCluster } from '../client/index.ts';
import {
  type AnyApi,
  type Api,
  apis,
  decodeRequestHeader,
  encodeResponse,
  errorCode,
  type ErrorName,
  Reader,
  type RequestHeader,
  ZERO_UUID,
} from '../wire/index.ts';
import { BatchHeader, RecordBatchBuilder } from '../wire/records/index.ts';
import { SimNetwork } from './sim/network.ts';
import { Machine, World } from './sim/world.ts';

/** No answer, now or ever; what comes behind it is not read either. */
export const HANG: unique symbol = Symbol('hang');
/** The connection ends. */
export const CLOSE: unique symbol = Symbol('close');

/** An answer, bytes in place of one (behind the frame's length), or what else happens. */
export type Answer<SI> = SI | Uint8Array | typeof HANG | typeof CLOSE;

export interface SeenRequest {
  readonly api: string;
  readonly version: number;
  readonly correlationId: number;
  readonly message: never;
  readonly node: number;
  /** Counts the connections of the broker. */
  readonly connection: number;
  readonly timeMs: number;
}

type Handler = (message: never, seen: SeenRequest) => unknown;

const ALL: readonly AnyApi[] = Object.values(apis).filter(
  (entry): entry is never => typeof entry === 'object' && entry !== null && 'key' in entry,
);
const byKey = new Map(ALL.map(api => [api.key, api]));

export class ScriptedBroker {
  readonly node: number;
  readonly address: { readonly host: string; readonly port: number };
  readonly machine: Machine;
  /** APIs that it lists, with the highest version; all of them unless a test says otherwise. */
  readonly versions = new Map<number, number>(ALL.map(api => [api.key, api.maxVersion]));
  private readonly cluster: ScriptedCluster;
  private readonly handlers = new Map<number, Handler>();
  private readonly connections = new Set<Connection>();
  private connectionCount = 0;

  constructor(cluster: ScriptedCluster, node: number, host: string) {
    this.cluster = cluster;
    this.node = node;
    this.address = { host, port: 9092 };
    this.machine = new Machine(cluster.world);
    this.listen();
  }

  /** What it does with requests of an API, from now on. */
  on<Q, QI, S, SI>(
    api: Api<Q, QI, S, SI>,
    handler: (message: Q, seen: SeenRequest) => Answer<SI> | Promise<Answer<SI>>,
  ): void {
    this.handlers.set(api.key, handler as Handler);
  }

  /** Back to what it did at first. */
  reset(api: { readonly key: number }): void {
    this.handlers.delete(api.key);
  }

  /** Its connections end; it goes on listening. */
  cut(): void {
    for (const connection of this.connections) connection.destroy();
  }

  /** It is gone: connections are refused. */
  stop(): void {
    this.cluster.network.close(this.address);
    this.cut();
  }

  start(): void {
    this.listen();
  }

  private listen(): void {
    const { network } = this.machine.io(this.cluster.network.of);
    void network.listen(this.address, { onConnection: connection => this.accept(connection) });
  }

  private accept(connection: Connection): void {
    const number = ++this.connectionCount;
    this.connections.add(connection);
    let before = Promise.resolve();
    const receiver = new FrameReceiver({
      frameBytesMax: 100 * 1024 * 1024,
      room: privateRoom,
      onFrame: frame => {
        const bytes = Uint8Array.from(frame);
        before = before.then(() => this.handle(connection, bytes, number));
      },
      onBadLength: () => connection.destroy(),
    });
    connection.start({
      onData: chunk => receiver.received(chunk),
      onEnd: () => connection.end(),
      onClose: () => this.connections.delete(connection),
    });
  }

  private async handle(connection: Connection, frame: Uint8Array, number: number): Promise<void> {
    const reader = new Reader(frame);
    const header = decodeRequestHeader(reader, key => byKey.get(key)?.flexibleSince);
    const api = byKey.get(header.apiKey) as Api<never, never, never, never>;
    const message = api.decodeRequest(reader, header.apiVersion);
    const seen: SeenRequest = {
      api: api.name,
      version: header.apiVersion,
      correlationId: header.correlationId,
      message,
      node: this.node,
      connection: number,
      timeMs: this.cluster.world.time,
    };
    this.cluster.requests.push(seen);
    const handler = this.handlers.get(header.apiKey) ?? this.cluster.handlerOf(this, header.apiKey);
    const answer = await handler(message, seen);
    if (answer === HANG) return new Promise(() => undefined);
    if (answer === CLOSE) connection.end();
    else connection.write(answer instanceof Uint8Array ? framed(answer) : this.encoded(api, header, answer as never));
  }

  private encoded(api: Api<never, never, never, never>, header: RequestHeader, answer: never): Uint8Array[] {
    return encodeResponse(api, header.apiVersion, header.correlationId, answer);
  }
}

interface ScriptedTopic {
  id: string;
  /** Leader of each partition. */
  leaders: number[];
  epochs: number[];
}

/** A world with brokers of one cluster, and clients of it. */
export class ScriptedCluster {
  readonly world: World;
  readonly network: SimNetwork;
  readonly brokers: readonly ScriptedBroker[];
  readonly topics = new Map<string, ScriptedTopic>();
  /** Record batches of each `topic/partition`, with their base offsets. */
  readonly logs = new Map<string, Uint8Array[]>();
  /** All requests that came in, in order. */
  readonly requests: SeenRequest[] = [];
  private ids = 0;

  constructor(hosts: readonly string[] = ['a'], seed = 1) {
    this.world = new World(seed);
    this.network = new SimNetwork(this.world);
    this.brokers = hosts.map((host, i) => new ScriptedBroker(this, i + 1, host));
  }

  /** Makes a topic, or another one by the same name. */
  topic(name: string, leaders: readonly number[], epochs: readonly number[] = leaders.map(() => 0)): void {
    const id = (++this.ids).toString(16).padStart(32, '0');
    this.topics.set(name, { id, leaders: [...leaders], epochs: [...epochs] });
    leaders.forEach((_leader, partition) => this.logs.set(`${name}/${partition}`, []));
  }

  /** Adds a batch of these values to a partition; returns its base offset. */
  append(topic: string, partition: number, values: readonly string[], leaderEpoch = 0): number {
    const log = this.logs.get(`${topic}/${partition}`)!;
    const builder = new RecordBatchBuilder();
    for (const value of values) builder.append(Math.floor(this.world.time), null, Buffer.from(value));
    const bytes = builder.finish();
    const header = new BatchHeader(bytes);
    header.baseOffset = this.endOf(topic, partition);
    header.partitionLeaderEpoch = leaderEpoch;
    log.push(bytes);
    return header.baseOffset;
  }

  endOf(topic: string, partition: number): number {
    const last = this.logs.get(`${topic}/${partition}`)?.at(-1);
    return last ? new BatchHeader(last).lastOffset + 1 : 0;
  }

  /** A client on a machine of its own. */
  client(
    properties: Readonly<Record<string, string>> = {},
    settings: Partial<ClusterSettings> = {},
    arena?: Arena,
  ): Cluster {
    const io = new Machine(this.world).io(this.network.of);
    const servers = this.brokers.map(({ address }) => `${address.host}:${address.port}`).join(',');
    const made = clientSettings(io, new Map(Object.entries({ 'bootstrap.servers': servers, ...properties })));
    return makeCluster(io, { ...made, cluster: { ...made.cluster, ...settings } }, arena);
  }

  /** Lets the world go on until the promise has settled. */
  settle<T>(promise: Promise<T>, withinMs?: number): Promise<T> {
    return this.world.settle(promise, withinMs);
  }

  async pass(ms: number): Promise<void> {
    await this.world.run(this.world.time + ms);
  }

  /** Requests of an API so far. */
  seen<Q>(api: Api<Q, never, never, never> | { readonly name: string }): SeenRequest[] {
    return this.requests.filter(request => request.api === api.name);
  }

  /** @internal what brokers do unless a test says otherwise */
  handlerOf(broker: ScriptedBroker, key: number): Handler {
    const usual: Readonly<Record<number, Handler>> = {
      [apis.apiVersions.key]: () => ({
        errorCode: 0,
        throttleTimeMs: 0,
        apiKeys: [...broker.versions].map(([apiKey, maxVersion]) => ({ apiKey, minVersion: 0, maxVersion })),
      }),
      [apis.metadata.key]: (request: { topics: readonly { name: string | null }[] | null }) => this.metadata(request),
      [apis.findCoordinator.key]: (request: { coordinatorKeys: readonly string[] }) => {
        const { address, node: nodeId } = this.brokers[0]!;
        const found = { nodeId, ...address, errorCode: 0, errorMessage: null };
        return { throttleTimeMs: 0, ...found, coordinators: request.coordinatorKeys.map(k => ({ key: k, ...found })) };
      },
      [apis.fetch.key]: (request: FetchQuestion) => this.fetch(broker, request),
      [apis.listOffsets.key]: (request: ListOffsetsQuestion) => this.listOffsets(request),
    };
    const handler = usual[key];
    if (!handler) throw new Error(`no handler for API ${key}`);
    return handler;
  }

  private metadata(request: { topics: readonly { name: string | null }[] | null }): unknown {
    const names = request.topics?.map(({ name }) => name!) ?? [...this.topics.keys()];
    return {
      throttleTimeMs: 0,
      brokers: this.brokers.map(({ address, node }) => ({ nodeId: node, ...address })),
      clusterId: 'scripted',
      controllerId: 1,
      topics: names.map(name => {
        const topic = this.topics.get(name);
        if (!topic) return { errorCode: code('UNKNOWN_TOPIC_OR_PARTITION'), name, topicId: ZERO_UUID, partitions: [] };
        return {
          errorCode: 0,
          name,
          topicId: topic.id,
          partitions: topic.leaders.map((leaderId, partitionIndex) => ({
            errorCode: leaderId < 0 ? code('LEADER_NOT_AVAILABLE') : 0,
            partitionIndex,
            leaderId,
            leaderEpoch: topic.epochs[partitionIndex]!,
            replicaNodes: [],
            isrNodes: [],
            offlineReplicas: [],
          })),
        };
      }),
    };
  }

  private async fetch(broker: ScriptedBroker, request: FetchQuestion): Promise<unknown> {
    let answer = this.fetchNow(broker, request);
    if (answer.isEmpty && request.maxWaitMs > 0) {
      await new Promise<void>(resolve => this.world.after(request.maxWaitMs, resolve, broker.machine));
      answer = this.fetchNow(broker, request);
    }
    return answer;
  }

  private fetchNow(broker: ScriptedBroker, request: FetchQuestion): { readonly isEmpty: boolean } {
    let isEmpty = true;
    let room = request.maxBytes;
    const responses = request.topics.map(({ partitions, topic: given, topicId }) => {
      const name = given === '' ? [...this.topics].find(([, { id }]) => id === topicId)?.[0] : given;
      return {
        topic: given,
        topicId,
        partitions: partitions.map(({ currentLeaderEpoch, fetchOffset, partition, partitionMaxBytes }) => {
          const topic = name === undefined ? undefined : this.topics.get(name);
          const result = { partitionIndex: partition, highWatermark: -1, lastStableOffset: -1, records: null };
          const failed = (error: ErrorName): object => {
            isEmpty = false;
            return { ...result, errorCode: code(error) };
          };
          if (!topic) return failed('UNKNOWN_TOPIC_ID');
          if (topic.leaders[partition] !== broker.node) return failed('NOT_LEADER_OR_FOLLOWER');
          const epoch = topic.epochs[partition]!;
          if (currentLeaderEpoch >= 0 && currentLeaderEpoch < epoch) return failed('FENCED_LEADER_EPOCH');
          if (currentLeaderEpoch > epoch) return failed('UNKNOWN_LEADER_EPOCH');
          const end = this.endOf(name!, partition);
          if (fetchOffset > end || fetchOffset < 0) return failed('OFFSET_OUT_OF_RANGE');
          const pieces: Uint8Array[] = [];
          let left = Math.min(partitionMaxBytes, room);
          for (const batch of this.logs.get(`${name}/${partition}`)!) {
            if (new BatchHeader(batch).lastOffset < fetchOffset) continue;
            // The first batch of an answer is whole, whatever its size.
            if (left <= 0 || (batch.length > left && !isEmpty)) break;
            pieces.push(batch);
            left -= batch.length;
            room -= batch.length;
            isEmpty = false;
          }
          return {
            ...result,
            errorCode: 0,
            highWatermark: end,
            lastStableOffset: end,
            logStartOffset: 0,
            records: Buffer.concat(pieces),
          };
        }),
      };
    });
    return { isEmpty, throttleTimeMs: 0, errorCode: 0, sessionId: 0, responses } as never;
  }

  private listOffsets(request: ListOffsetsQuestion): unknown {
    return {
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => ({
          partitionIndex,
          errorCode: 0,
          timestamp: -1,
          offset: timestamp === -2 ? 0 : this.endOf(name, partitionIndex),
        })),
      })),
    };
  }
}

interface FetchQuestion {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly topicId: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: number;
      readonly currentLeaderEpoch: number;
      readonly partitionMaxBytes: number;
    }[];
  }[];
}

interface ListOffsetsQuestion {
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly partitionIndex: number; readonly timestamp: number }[];
  }[];
}

function framed(bytes: Uint8Array): Uint8Array[] {
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes.length);
  return [size, bytes];
}

function code(name: ErrorName): number {
  return errorCode(name);
}
