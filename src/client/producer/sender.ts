/**
 * Carries the windows' batches to their leaders: one Produce request takes a batch of every partition of a node that has
 * one ready, and up to five requests of a node are under way.
 *
 * Invariants
 * I1 a window is in the list of at most one node, the leader that the metadata named when it became ready.
 * I2 every batch that a request carried is answered to its window once, whatever becomes of the request.
 */
import { type Io, MillraceError } from '../../base/index.ts';
import {
  apis,
  errorCode,
  errorName,
  isRetriable,
  type ProduceRequestInput,
  type ProduceResponse,
} from '../../wire/index.ts';
import type { Cluster } from '../cluster.ts';
import { clientErrors } from '../errors.ts';
import type { Failure, Identity, PartitionWindow, ProducedBatch } from './window.ts';

export interface SenderSettings {
  readonly acks: 0 | 1 | -1;
  readonly deliveryTimeoutMs: number;
  readonly isIdempotent: boolean;
  readonly canCreateTopics: boolean;
  readonly requestBytesMax: number;
}

/** How long the broker may wait for its replicas. */
const ACKNOWLEDGE_TIMEOUT_MS = 30_000;
/** Requests of a node under way; more do not help, and a broker remembers five batches of a producer's partition. */
const REQUESTS_MAX = 5;
const SEQUENCE_ERRORS: ReadonlySet<number> = new Set(
  (['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'] as const).map(errorCode),
);

interface Node {
  readonly id: number;
  readonly ready: Set<PartitionWindow>;
  requests: number;
  /** The broker asked for a pause. */
  isThrottled: boolean;
}

interface Carried {
  readonly window: PartitionWindow;
  readonly batch: ProducedBatch;
}

export class Sender {
  retries = 0;
  private readonly io: Io;
  private readonly cluster: Cluster;
  private readonly settings: SenderSettings;
  private readonly nodes = new Map<number, Node>();
  private readonly resolving = new Set<PartitionWindow>();
  private awake = new Set<PartitionWindow>();
  private identity: Promise<Identity> | undefined;

  constructor(cluster: Cluster, settings: SenderSettings) {
    this.io = cluster.io;
    this.cluster = cluster;
    this.settings = settings;
  }

  /** The window may have something to send. What wakes in one turn of the event loop travels together. */
  wake(window: PartitionWindow): void {
    if (!window.canSend || this.resolving.has(window)) return;
    if (this.awake.size === 0) queueMicrotask(() => this.dispatch());
    this.awake.add(window);
  }

  private dispatch(): void {
    const windows = this.awake;
    this.awake = new Set();
    const touched = new Set<Node>();
    for (const window of windows) {
      const leader = this.cluster.knownLeader(window.topic, window.partition);
      if (leader === undefined || (this.isSequenced && !window.identity)) {
        this.resolving.add(window);
        void this.resolve(window);
        continue;
      }
      const node = this.nodeOf(leader);
      node.ready.add(window);
      touched.add(node);
    }
    for (const node of touched) this.fill(node);
  }

  private get isSequenced(): boolean {
    return this.settings.isIdempotent && this.settings.acks === -1;
  }

  /** Finds leader and identity, then wakes the window again. */
  private async resolve(window: PartitionWindow): Promise<void> {
    let failure: Failure | undefined;
    try {
      const topic = await this.cluster.topic(window.topic, this.settings.canCreateTopics);
      if ((topic.leaders[window.partition] ?? -1) < 0) {
        this.cluster.forget(window.topic);
        failure = { kind: 'again', error: new Error('LEADER_NOT_AVAILABLE') };
      } else if (this.isSequenced) window.identity ??= await this.sharedIdentity(window);
    } catch (error) {
      failure = failureOf(error);
    }
    this.resolving.delete(window);
    if (!failure) this.wake(window);
    else if (window.refused(failure)) this.retry(window);
  }

  /** One identity for all windows, until one of them has to renew its own. */
  private sharedIdentity(window: PartitionWindow): Promise<Identity> {
    if (this.identity && !window.wasRenewed) return this.identity;
    window.wasRenewed = false;
    const made = this.newIdentity();
    this.identity = made;
    made.catch(() => {
      if (this.identity === made) this.identity = undefined;
    });
    return made;
  }

  private async newIdentity(): Promise<Identity> {
    const connection = await this.cluster.any();
    const answer = await connection.request(apis.initProducerId, {
      transactionalId: null,
      transactionTimeoutMs: 60_000,
    });
    const { errorCode: code } = answer;
    if (isRetriable(code)) throw new Error(`InitProducerId: ${errorName(code)}`);
    if (code !== 0) throw clientErrors.brokerError({ api: 'InitProducerId', what: '', error: errorName(code) });
    return { id: answer.producerId, epoch: answer.producerEpoch };
  }

  private nodeOf(id: number): Node {
    let node = this.nodes.get(id);
    if (!node) {
      node = { id, ready: new Set(), requests: 0, isThrottled: false };
      this.nodes.set(id, node);
    }
    return node;
  }

  private fill(node: Node): void {
    while (node.ready.size > 0 && node.requests < REQUESTS_MAX && !node.isThrottled) {
      const carried = this.collect(node);
      if (carried.length > 0) void this.send(node, carried);
    }
  }

  /** A batch of each ready window, up to the size of a request. Windows that have more go behind the others. */
  private collect(node: Node): Carried[] {
    const carried: Carried[] = [];
    let bytes = 0;
    for (const window of [...node.ready]) {
      node.ready.delete(window);
      const batch = window.next();
      if (!batch) continue;
      carried.push({ window, batch });
      if (window.canSend) node.ready.add(window);
      bytes += batch.bytes.length;
      if (bytes >= this.settings.requestBytesMax) break;
    }
    return carried;
  }

  private async send(node: Node, carried: readonly Carried[]): Promise<void> {
    node.requests++;
    let judge: (entry: Carried) => Failure | undefined;
    try {
      const isSilent = this.settings.acks === 0;
      const connection = await this.cluster.node(node.id);
      const answer = await connection.request(apis.produce, this.requestOf(carried), { isSilent });
      judge = isSilent ? () => undefined : judgeBy(answer, id => this.cluster.topicName(id));
      if (!isSilent && answer.throttleTimeMs > 0) this.throttle(node, answer.throttleTimeMs);
    } catch (error) {
      const failure = failureOf(error);
      judge = () => failure;
    }
    node.requests--;
    for (const entry of carried) this.answered(entry, judge(entry));
    this.fill(node);
  }

  private requestOf(carried: readonly Carried[]): ProduceRequestInput {
    const topics = new Map<string, { index: number; records: Uint8Array }[]>();
    for (const { batch, window } of carried) {
      batch.seal(window.identity);
      const entry = { index: window.partition, records: batch.bytes };
      const partitions = topics.get(window.topic);
      if (partitions) partitions.push(entry);
      else topics.set(window.topic, [entry]);
    }
    return {
      acks: this.settings.acks,
      timeoutMs: ACKNOWLEDGE_TIMEOUT_MS,
      topicData: Array.from(topics, ([name, partitionData]) => ({
        name,
        topicId: this.cluster.topicId(name),
        partitionData,
      })),
    };
  }

  private answered({ batch, window }: Carried, failure: Failure | undefined): void {
    if (failure) this.cluster.forget(window.topic);
    if (window.answered(batch, failure)) this.retry(window);
    else this.wake(window);
  }

  /** Nothing of the window is under way, and something failed. */
  private retry(window: PartitionWindow): void {
    const { deliveryTimeoutMs } = this.settings;
    const late = (batch: ProducedBatch, reason: string): Error =>
      clientErrors.deliveryTimeout({
        records: batch.recordCount,
        topic: window.topic,
        partition: window.partition,
        ms: deliveryTimeoutMs,
        reason,
      });
    if (!window.recover(this.io.clock.monotonic() - deliveryTimeoutMs, late)) return;
    this.retries++;
    window.isPaused = true;
    void this.cluster.backoff(Math.max(0, window.failedTries - 1)).then(() => {
      window.isPaused = false;
      this.wake(window);
    });
  }

  private throttle(node: Node, ms: number): void {
    node.isThrottled = true;
    this.io.clock.after(ms, () => {
      node.isThrottled = false;
      this.fill(node);
    });
  }
}

/** What an answer says of each batch. Newer versions name topics by id alone. */
function judgeBy(
  answer: ProduceResponse,
  nameOf: (topicId: string) => string | undefined,
): (entry: Carried) => Failure | undefined {
  const codes = new Map<string, number>();
  for (const { name, partitionResponses, topicId } of answer.responses) {
    const topic = name === '' ? nameOf(topicId) : name;
    for (const { errorCode: code, index } of partitionResponses) codes.set(`${topic}\n${index}`, code);
  }
  return ({ window }) => {
    const code = codes.get(`${window.topic}\n${window.partition}`);
    if (code === 0 || code === errorCode('DUPLICATE_SEQUENCE_NUMBER')) return undefined;
    if (code === undefined) return { kind: 'again', error: new Error('the answer leaves the partition out') };
    const what = `to ${window.topic}/${window.partition}`;
    const error = clientErrors.brokerError({ api: 'Produce', what, error: errorName(code) });
    if (SEQUENCE_ERRORS.has(code)) return { kind: 'sequence', error };
    return { kind: isRetriable(code) ? 'again' : 'fatal', error };
  };
}

/** Lost connections, deadlines, missing leaders and topics pass; anything else would fail for ever. */
function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) throw error;
  const canPass = !(error instanceof MillraceError) || error.retry !== 'no';
  return { kind: canPass ? 'again' : 'fatal', error };
}
